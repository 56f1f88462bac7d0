"""Spectra of known truth, for trying things out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from spectraq.workers.demonstration import simulated

if TYPE_CHECKING:
    from spectraq.schemas.spectrum import Spectrum


@overload
def simulate(n: int, seed: int = 0, *, truth: Literal[False] = False) -> list[Spectrum]: ...
@overload
def simulate(n: int, seed: int = 0, *, truth: Literal[True]) -> tuple[list[Spectrum], Any]: ...
def simulate(n: int, seed: int = 0, *, truth: bool = False) -> Any:
    """Return n simulated spectra with the noise and faults of real instruments.

    Parameters
    ----------
    n
        How many.
    seed
        The same seed gives the same spectra.
    truth
        Also return what they really are: an astropy table of n rows with spectrum_id, spectype, subtype, z,
        snr and fault.
    """
    pairs = list(simulated.spectra(n, seed))
    spectra = [spectrum for spectrum, _ in pairs]
    if not truth:
        return spectra
    from astropy.table import Table

    rows = [(s.spectrum_id, t.spectype, t.subtype, t.z, t.snr, t.fault or "") for s, t in pairs]
    return spectra, Table(rows=rows, names=simulated.TRUTH)
