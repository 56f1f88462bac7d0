"""One spectrum written down as people write spectra down: container, units, order, noise, mask, packing."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import zstandard
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Param
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from spectraq.schemas.air import vacuum_from_air

OWN_UNIT = u.Unit("1e-17 erg / (s cm2 Angstrom)")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".zst": zstandard.ZstdCompressor().compress,
}
WAVELENGTH_UNITS = ("Angstrom", "nm", "um", "m", "THz", "eV", "loglam")
FLUX_UNITS = (
    "1e-17 erg / (s cm2 Angstrom)", "erg / (s cm2 Angstrom)", "W / (m2 um)", "W / (m2 nm)", "Jy", "uJy",
    "erg / (s cm2 Hz)",
)  # fmt: skip
NOISE = {"ivar": 1, "error": -2, "flux_err": -2, "sigma": -2, "variance": -1}
"""Names of noise, and the power that makes ivar of it."""
BAD, GOOD = ("mask", "dq", "qual", "flags"), ("good", "goodpix")
ORDERS = ("ascending", "descending", "shuffled")


@dataclass(frozen=True)
class Pixels:
    """Vacuum wavelengths in angstrom, flux in 1e-17 erg/s/cm2/A and its ivar, each of shape (n,)."""

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    ivar: NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """How a spectrum is written: the values as `Pixels` has them are the same in each."""

    wavelength_unit: str = "Angstrom"
    flux_unit: str = "erg / (s cm2 Angstrom)"
    order: str = "ascending"
    air: bool = False
    noise: str = "ivar"
    noise_in_units_of_its_own: bool = False
    mask: str = ""
    packing: str = ""


@dataclass(frozen=True)
class Written:
    """The columns of a file: values and units by name, and what its header says of the medium."""

    values: dict[str, Any]
    units: dict[str, str]
    medium: str


SPECUTILS_NOISE = {
    "STD": (-2, StdDevUncertainty),
    "VAR": (-1, VarianceUncertainty),
    "IVAR": (1, InverseVariance),
}
"""Names under which specutils writes noise: the power that makes ivar of it, and what specutils calls it."""
MASKED = slice(50, 90)
"""Pixels that a mask takes out of use."""


def air_of(vacuum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wavelengths in air, by turning the conversion of the other way round."""
    air = vacuum.copy()
    for _ in range(6):
        air -= vacuum_from_air(air) - vacuum
    return air


def written(pixels: Pixels, way: Way) -> Written:
    """The columns of a spectrum, written in this way."""
    air = way.air and way.wavelength_unit not in ("THz", "eV")  # those are what they are in any medium
    wavelength = air_of(pixels.wavelength) if air else pixels.wavelength
    flux_unit = u.Unit(way.flux_unit)
    per_unit = OWN_UNIT.to(flux_unit, np.ones(wavelength.size), u.spectral_density(wavelength * u.AA))
    used = pixels.ivar > 0
    power = NOISE[way.noise]
    noise = np.where(used, np.where(used, pixels.ivar / per_unit**2, 1.0) ** (1.0 / power), 0.0)
    own = {1: flux_unit**-2, -2: flux_unit, -1: flux_unit**2}[power]
    if way.noise_in_units_of_its_own:
        own = u.Unit(own * 1e-3)
        noise = noise * 1e3
    is_log = way.wavelength_unit == "loglam"
    where = (
        np.log10(wavelength) if is_log else (wavelength * u.AA).to_value(way.wavelength_unit, u.spectral())
    )
    values: dict[str, Any] = {"loglam" if is_log else "wavelength": where, "flux": pixels.flux * per_unit}
    units = {"flux": way.flux_unit, way.noise: own.to_string("fits")}
    if not is_log:
        units["wavelength"] = way.wavelength_unit
    values[way.noise] = noise
    if way.mask:
        bad = np.zeros(where.size, np.int16)
        bad[MASKED] = 4
        values[way.mask] = bad if way.mask in BAD else (bad == 0).astype(np.int16)
    order = _order(way.order, wavelength)
    return Written({k: v[order] for k, v in values.items()}, units, "air" if air else "vacuum")


def _order(order: str, wavelength: NDArray[np.float64]) -> NDArray[np.intp]:
    ascending = np.argsort(wavelength)
    if order == "shuffled":
        return np.random.default_rng(0).permutation(ascending)
    return ascending[::-1] if order == "descending" else ascending


def _table(columns: Written, with_units: bool = True) -> Table:
    table = Table(columns.values)
    for name, unit in columns.units.items() if with_units else ():
        table[name].unit = u.Unit(unit)
    return table


def _titled(columns: Written) -> Table:
    """A table whose titles hold the units, and whose wavelengths are called by their medium."""
    table = _table(columns, with_units=False)
    for name, unit in columns.units.items():
        table.rename_column(name, f"{name} [{unit}]")
    return table


def _spectral(columns: Written) -> u.Quantity:
    """The spectral axis with its unit, whatever it is written in."""
    if "loglam" in columns.values:
        return 10.0 ** columns.values["loglam"] * u.AA
    return columns.values["wavelength"] * u.Unit(columns.units["wavelength"])


def _vectors(columns: Written) -> Table:
    return Table({name: [values] for name, values in columns.values.items()}, units=columns.units)


def _fits(path: Path, table: Table, columns: Written, **options: Any) -> None:
    hdu = fits.table_to_hdu(table)
    hdu.header["AIRORVAC"] = columns.medium
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, **options)


def _images(path: Path, columns: Written) -> None:
    hdus: list[Any] = [fits.PrimaryHDU()]
    hdus[0].header["AIRORVAC"] = columns.medium
    for name, values in columns.values.items():
        hdus.append(fits.ImageHDU(values, name=name.upper()))
        if name in columns.units:
            hdus[-1].header["BUNIT"] = columns.units[name]
    fits.HDUList(hdus).writeto(path)


def _text(path: Path, columns: Written, **options: Any) -> None:
    _titled(columns).write(path, **options)
    path.write_text(f"# medium: {columns.medium}\n" + path.read_text())


def _long(path: Path, columns: Written) -> None:
    """Two objects in one table, a pixel a row; the second is the first, twice as bright."""
    table = _titled(columns)
    noise = next(name for name in columns.values if name in NOISE)
    second = dict(columns.values)
    second["flux"] = 2 * second["flux"]
    second[noise] = second[noise] * 2.0 ** (-2 / NOISE[noise])
    n = len(table)
    both = Table(
        {
            title: np.concatenate([columns.values[name], second[name]])
            for name, title in zip(columns.values, table.colnames, strict=True)
        }
    )
    both["object_id"] = np.repeat(["first", "second"], n)
    both.write(path, format="ascii.csv")
    path.write_text(f"# medium: {columns.medium}\n" + path.read_text())


def _npz(path: Path, columns: Written) -> None:
    units = {f"{name}_unit": unit for name, unit in columns.units.items()}
    np.savez(path, medium=columns.medium, **units, **columns.values)


def _tabular(path: Path, columns: Written) -> None:
    _spectrum(columns).write(path, format="tabular-fits", update_header=True)


def _spectrum(columns: Written) -> Any:
    """The spectrum as specutils holds it."""
    from specutils import Spectrum

    noise = next(name for name in columns.values if name in NOISE)
    kind = {1: InverseVariance, -2: StdDevUncertainty, -1: VarianceUncertainty}[NOISE[noise]]
    flux_unit = u.Unit(columns.units["flux"])
    wanted = {1: flux_unit**-2, -2: flux_unit, -1: flux_unit**2}[NOISE[noise]]
    values = (columns.values[noise] * u.Unit(columns.units[noise])).to(wanted)
    axis = _spectral(columns)
    order = np.argsort(axis.value)
    return Spectrum(
        flux=columns.values["flux"][order] * flux_unit, spectral_axis=axis[order],
        uncertainty=kind(values[order]), meta={"AIRORVAC": columns.medium},
    )  # fmt: skip


def _parquet(path: Path, columns: Written) -> None:
    table = _table(columns)
    table.meta["medium"] = columns.medium
    table.write(path, format="parquet")


def _votable(path: Path, columns: Written) -> None:
    whole = from_table(_table(columns))
    medium = Param(whole, name="medium", datatype="char", arraysize="*", value=columns.medium)
    whole.get_first_table().params.append(medium)
    whole.to_xml(str(path))


def _ecsv(path: Path, columns: Written) -> None:
    table = _table(columns)
    table.meta["medium"] = columns.medium
    table.write(path, format="ascii.ecsv")


CONTAINERS: dict[str, tuple[str, Callable[[Path, Written], None]]] = {
    "FITS table": (".fits", lambda path, columns: _fits(path, _table(columns), columns)),
    "FITS vectors": (".fits", lambda path, columns: _fits(path, _vectors(columns), columns)),
    "FITS images": (".fits", _images),
    "specutils' table": (".fits", _tabular),
    "ECSV": (".ecsv", _ecsv),
    "VOTable": (".vot", _votable),
    "Parquet": (".parquet", _parquet),
    "CSV": (".csv", lambda path, columns: _text(path, columns, format="ascii.csv")),
    "tabs": (".txt", lambda path, columns: _text(path, columns, format="ascii.tab")),
    "bars": (".dat", lambda path, columns: _text(path, columns, format="ascii.fixed_width")),
    "long table": (".csv", _long),
    "NPZ": (".npz", _npz),
}
"""By name: the ending of the file's name, and what writes it."""


def write(pixels: Pixels, container: str, way: Way, stem: Path) -> Path:
    """Write a spectrum down; returns the file."""
    suffix, maker = CONTAINERS[container]
    plain = stem.with_suffix(suffix)
    maker(plain, written(pixels, way))
    if not way.packing:
        return plain
    path = plain.with_name(plain.name + way.packing)
    path.write_bytes(PACKERS[way.packing](plain.read_bytes()))
    plain.unlink()
    return path


def on_header_axis(pixels: Pixels, unit: str) -> tuple[Pixels, dict[str, Any]]:
    """A spectrum brought onto an axis that a header can say, linear in a unit, or in log10 of angstrom.

    Returns
    -------
    pixels
        In the axis's order, wavelengths in angstrom.
    cards
        Of the header.
    """
    ends = pixels.wavelength[[0, -1]]
    spectral = np.log10(ends) if unit == "loglam" else (ends * u.AA).to_value(unit, u.spectral())
    axis, step = np.linspace(*spectral, pixels.wavelength.size, retstep=True)
    wavelength = 10.0**axis if unit == "loglam" else (axis * u.Unit(unit)).to_value(u.AA, u.spectral())
    flux = np.interp(wavelength, pixels.wavelength, pixels.flux)
    ivar = np.interp(wavelength, pixels.wavelength, pixels.ivar)
    cards = {"CRVAL1": axis[0], "CD1_1": step, "CRPIX1": 1.0, "AIRORVAC": "vacuum", "OBJECT": "x"}
    cards |= {"DC-FLAG": 1} if unit == "loglam" else {"CUNIT1": unit}
    return Pixels(wavelength, flux, ivar), cards


def write_image(path: Path, pixels: Pixels, cards: dict[str, Any], way: Way) -> None:
    """Flux in the primary image, noise and mask beside it, the axis in the header."""
    columns = written(pixels, Way(flux_unit=way.flux_unit, noise=way.noise, mask=way.mask))
    place = np.argsort(np.argsort(pixels.wavelength))
    hdus: list[Any] = []
    for name in ("flux", way.noise, *filter(None, [way.mask])):
        maker = fits.ImageHDU if hdus else fits.PrimaryHDU
        hdus.append(maker(columns.values[name][place]))
        hdus[-1].name = name.upper()
        if name in columns.units:
            hdus[-1].header["BUNIT"] = columns.units[name]
    hdus[0].header.update(cards)
    fits.HDUList(hdus).writeto(path)


def wcs_of(cards: dict[str, Any], unit: str) -> Any:
    """The axis of a header as a WCS."""
    wcs = WCS(naxis=1)
    wcs.wcs.ctype = ["FREQ" if unit == "THz" else "WAVE"]
    wcs.wcs.cunit = [unit]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = [cards["CRVAL1"]], [cards["CD1_1"]], [1.0]
    return wcs
