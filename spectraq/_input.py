"""Whatever a user has spectra in, as `Spectrum`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import find
from spectraq.workers.readers import read as read_file
from spectraq.workers.readers.format import Assumed
from spectraq.workers.readers.memory import read_memory

NAME = "spectrum"
"""What a spectrum in memory is called that has no name; with its number where there are several."""


class Assumption(UserWarning):
    """Something that the spectra do not say had to be assumed."""


def read(
    spectra: Any,
    *,
    medium: Literal["vacuum", "air"] | None = None,
    wavelength_unit: str | None = None,
    format: str | None = None,
) -> Iterator[Spectrum | ReadError]:
    """Return an iterator over spectra, in the order given, each read when it is asked for.

    Parameters
    ----------
    spectra
        A file, folder or pattern of files; a `Spectrum`; a tuple of arrays, (wavelength, flux) or
        (wavelength, flux, ivar), with or without astropy units; an astropy table; a specutils spectrum or
        list of them; or any iterable of these.
    medium
        "vacuum" or "air": what wavelengths are in that do not say it; vacuum is assumed otherwise, with a
        warning.
    wavelength_unit
        The unit of wavelengths that do not say it; angstrom is assumed otherwise, with a warning.
    format
        Of the files, where their content does not tell: "sdss", "desi", "lamost", "table" or "specutils".

    Yields
    ------
    Spectrum or ReadError
        An error, as a value, in the place of each spectrum or file that can't be read: one bad file does not
        hide the others.
    """
    assumed = Assumed(medium, wavelength_unit)
    for number, given in enumerate(_each(spectra)):
        if isinstance(given, (Spectrum, ReadError)):
            yield given
        elif isinstance(given, (str, Path)):
            yield from _files(given, assumed, format)
        else:
            name = NAME if given is spectra else f"{NAME}-{number}"
            yield from read_memory(given, name, assumed, _warn)


def _files(path: str | Path, assumed: Assumed, format: str | None) -> Iterator[Spectrum | ReadError]:
    for file in find([path]):
        if isinstance(file, ReadError):
            yield file
        else:
            yield from read_file(
                file, format, medium=assumed.medium, wavelength_unit=assumed.wavelength_unit, note=_warn
            )


def _each(spectra: Any) -> Iterable[Any]:
    """Return what is given as an iterable of single things."""
    single = isinstance(spectra, (str, Path, Spectrum)) or hasattr(spectra, "colnames")
    if single or hasattr(spectra, "spectral_axis") or _is_arrays(spectra):
        return [spectra]
    if isinstance(spectra, Iterable):
        return spectra
    return [spectra]  # refused where it is read, with what may be given


def _is_arrays(spectra: Any) -> bool:
    """Return whether this is (wavelength, flux, ivar), and no tuple of paths or of spectra."""
    return isinstance(spectra, tuple) and not any(
        isinstance(part, (str, Path, Spectrum, tuple)) or hasattr(part, "colnames") for part in spectra
    )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, Assumption, stacklevel=2)
