"""The common grid of pixels in log wavelength, and how a spectrum comes onto it."""
