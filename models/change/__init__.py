"""What changed between two spectra of one object.

`epoch` (a spectrum with its answer on the grid) > `pair` (two of them on one grid, one resolution, one
response) > tests of what is left > `compare`.
"""
