"""Spectra of normal samples that are faulty or strange, seen by eye: no reference is learned from them."""

from __future__ import annotations

_STEP = "the flux jumps where the two arms meet, near 5720 Å"
_COSMIC_RAY = "a cosmic ray that looks like an emission line, near {} Å"
_PIXEL = "a cosmic ray, one or two pixels, near {} Å"
_TWO_REDSHIFTS = "SDSS J092712.65+294344.0: strong narrow lines at z = 0.713 beside all lines at z = 0.698"
_RED_END = "the last 50 Å of the red end rise to several times the star's flux"
FAULTS = {
    "normal/lamost-mulyss/spec-56286-HD100408N031203B04_sp08-071.fits.gz": _STEP,
    "normal/lamost-mulyss/spec-56596-HD215229N284736V01_sp06-187.fits.gz": _STEP,
    "normal/lamost-mulyss/spec-57032-HD132901N475049V01_sp07-078.fits.gz": _STEP,
    "normal/lamost-mulyss/spec-57044-HD020328N513905V01_sp07-157.fits.gz": _STEP,
    "normal/lamost-mulyss/spec-57055-HD091212N035201V01_sp07-246.fits.gz": _STEP,
    "normal/lamost-ccf/spec-55915-F5591503_sp09-174.fits.gz": _RED_END,
    "normal/lamost-ccf/spec-55915-F5591503_sp09-082.fits.gz": _RED_END,
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp16-125.fits.gz": (
        "light that is not the star's from 6700 to 7500 Å, with emission lines on it"
    ),
    "normal/lamost-ccf/spec-55859-F5907_sp02-219.fits.gz": "the sky's line at 5577 Å was subtracted too much",
    "normal/lamost-ccf/spec-55859-F5907_sp02-230.fits.gz": (
        "lines of the sky beyond 8900 Å, up to half the star's flux, up and down"
    ),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp10-203.fits.gz": _COSMIC_RAY.format(6349),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp03-244.fits.gz": _COSMIC_RAY.format(5965),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp14-064.fits.gz": _COSMIC_RAY.format(7278),
    "normal/lamost-ccf/spec-57330-EG220307N031056M01_sp07-153.fits.gz": _COSMIC_RAY.format(5087),
    "normal/lamost-ccf/spec-55915-F5591503_sp06-106.fits.gz": _COSMIC_RAY.format(3870),
    "normal/lamost-ccf/spec-55859-F5902_sp08-171.fits.gz": _PIXEL.format(6642),
    "normal/lamost-ccf/spec-55859-F5907_sp12-016.fits.gz": _PIXEL.format(6422),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp10-163.fits.gz": _PIXEL.format(4783),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp16-158.fits.gz": _PIXEL.format(3794),
    "normal/lamost-ccf/spec-55859-F5907_sp10-096.fits.gz": (
        "two pixels near 7542 Å lack up to 40 % of the flux"
    ),
    "spectra/sdss-gasnet3/spectra.fits row 12": "flux below zero blueward of 4200 Å",
    "normal/lamost-mulyss/spec-57169-HD145035N124702V01_sp04-081.fits.gz": (
        "a bump of 60 % of the flux at 5689 Å, where the two arms meet"
    ),
    "normal/sdss-lmatrecito/spec-1939-53389-0467.fits": _TWO_REDSHIFTS,
    "normal/sdss-lmatrecito/spec-11376-58430-0084.fits": _TWO_REDSHIFTS,
    "normal/sdss-blackholes/spec-1419-53144-0022.fits": (
        "a line at 5676 Å, twice the flux and as wide as the others, that is none of the galaxy's"
    ),
}
"""By name, as of `LabelledSpectrum.name`: what is wrong with it."""
