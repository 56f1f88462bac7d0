"""What lies beside an image of flux: noise, mask, wavelengths, by their names or by what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.readers import columns as names
from spectraq.workers.readers import quality
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.source import Source

NOISE = (
    (("ivar", "invvar", "inverse_variance", *names.IVAR), 1),
    (("error", "err", "sigma", "noise", "stat_err", "errs", "uncert", *names.ERROR), -2),
    (("variance", "var", "stat", *names.VARIANCE), -1),
)
"""Names of images of noise, and the power that makes ivar of them."""
PARTS = 20
SAME_SIZE = 2.0
"""Noise of an extension without a name goes with the scatter of flux within this factor."""


@dataclass(slots=True)
class Beside:
    """The images that belong to an image of flux.

    Parameters
    ----------
    noise, power
        An image of flux's shape and the power that makes ivar of it; None where there is none.
    mask, mask_name
        An image of quality, by `quality.bad`.
    wavelength
        An image of wavelengths, or of their log10 (`is_log`).
    """

    noise: Any = None
    power: int = 1
    mask: Any = None
    mask_name: str = ""
    wavelength: Any = None
    is_log: bool = False


def beside(source: Source, flux: Any, note: Note, prefix: str = "") -> Beside:
    """Return what lies beside an image of flux among the images of its shape.

    Parameters
    ----------
    source
        The file.
    flux
        The HDU of flux.
    note
        Takes what was decided by content.
    prefix
        What the names of the arm's extensions begin with.
    """
    belongings = Beside()
    named = {
        hdu.name.lower().removeprefix(prefix.lower()): hdu
        for hdu in source.hdus
        if hdu.is_image and hdu is not flux and hdu.shape and hdu.shape[-1] == flux.shape[-1]
    }
    for choices, power in NOISE:
        name = next((name for name in choices if name in named and named[name].shape == flux.shape), None)
        if name:
            belongings.noise, belongings.power = named[name], power
            break
    name = quality.column(named)
    if name and named[name].shape == flux.shape:
        belongings.mask, belongings.mask_name = named[name], name
    name = next((name for name in (*names.WAVELENGTH, *names.LOGLAM) if name in named), None)
    if name:
        belongings.wavelength, belongings.is_log = named[name], name in names.LOGLAM
    if belongings.noise is None and flux.shape == flux.shape[-1:]:
        _unnamed(source, flux, belongings, note)
    return belongings


def _unnamed(source: Source, flux: Any, belongings: Beside, note: Note) -> None:
    """Tell noise, wavelengths and mask by what they hold, where extensions have no names."""
    values = np.asarray(flux.data, np.float64)
    for number, hdu in enumerate(source.hdus):
        if hdu is flux or hdu.name not in ("", "PRIMARY") or not hdu.is_image or hdu.shape != flux.shape:
            continue
        held = np.asarray(hdu.data, np.float64)
        if held.dtype.kind != "f" or not np.isfinite(held).all():
            continue
        if np.all(np.diff(held) > 0) and (held[0] > 500 or 3 < held[0] < held[-1] < 4.6):
            if belongings.wavelength is None:
                belongings.wavelength, belongings.is_log = hdu, held[-1] < 4.6
        elif set(np.unique(held[:: max(1, held.size // 500)])) <= {0.0, 1.0}:
            continue  # a mask of unknown sense: the noise says the same
        elif belongings.noise is not None:
            note("further extensions without names, of the shape of flux, are left out")
        elif power := noise_power(values, held):
            belongings.noise, belongings.power = hdu, power
            word = {1: "inverse variance", -2: "error", -1: "variance"}[power]
            note(f"extension {number} has no name: taken as {word} of flux, with whose scatter it goes")
        else:
            note(f"extension {number} has no name and goes with no scatter of flux: not used")


def noise_power(flux: NDArray[np.float64], held: NDArray[np.float64]) -> int | None:
    """Return which power of a nameless array, shape (n,), is ivar, by how flux scatters between pixels.

    None where it goes with no such scatter.

    Each part of the spectrum has a say: where noise is about 1 its square and its inverse are, too, and only
    its course tells them apart.
    """
    used = (held > 0) & np.isfinite(flux)
    if (held < 0).any() or used.sum() < 10 * PARTS:
        return None
    steps = np.abs(np.diff(flux))
    both = used[1:] & used[:-1]
    scatter, typical = [], []
    for part in np.array_split(np.flatnonzero(both), PARTS):
        if part.size and (middle := float(np.median(steps[part]))) > 0:
            scatter.append(np.log(middle / 0.954))
            typical.append(np.log(float(np.median(held[part]))))
    if len(scatter) < PARTS // 2:
        return None
    off = {
        power: float(np.median(np.abs(np.array(typical) * (power / -2.0) - np.array(scatter))))
        for power in (-2, 1, -1)
    }
    best, second = sorted(off, key=lambda power: off[power])[:2]
    return best if off[best] < np.log(SAME_SIZE) and off[second] > 1.3 * off[best] else None
