"""Makes the shipped weights: template libraries to mock spectra, mock spectra to networks and eigenspectra.

From outside, import `material.load` (noiseless spectra), `mocks.MockSky` (observed ones) and the steps of
`steps`.
"""
