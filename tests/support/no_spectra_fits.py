"""FITS files of every kind that hold no spectrum: pictures, cubes, catalogues, light curves, maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

Rng = np.random.Generator
Maker = Callable[[Path, Rng], Path]

SKY = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}


def _write(path: Path, *hdus: Any) -> Path:
    path = path.with_suffix(".fits")
    first = () if isinstance(hdus[0], fits.PrimaryHDU) else (fits.PrimaryHDU(),)
    fits.HDUList([*first, *hdus]).writeto(path, output_verify="silentfix")
    return path


def _noise(rng: Rng, *shape: int) -> Any:
    level, scatter = rng.uniform(0, 2000), rng.uniform(0.1, 50)
    kind = rng.choice(["f4", "f8", "i2", "i4", "u2"])
    return np.clip(rng.normal(level, scatter, shape), 0, 30_000).astype(kind)


def _celestial(rng: Rng, bands: int = 0) -> dict[str, Any]:
    cards = dict(SKY) | {"CRVAL1": rng.uniform(0, 360), "CRVAL2": rng.uniform(-89, 89)}
    cards |= {"CRPIX1": 32.0, "CRPIX2": 32.0, "CDELT1": -1e-4, "CDELT2": 1e-4}
    cards |= {"OBJECT": f"field {rng.integers(999)}", "EXPTIME": float(rng.integers(1, 3000))}
    return cards | ({"BUNIT": str(rng.choice(["adu", "electron", "Jy/beam", "MJy/sr"]))} if bands else {})


def _names(rng: Rng, n: int) -> Any:
    return np.array([f"J{value:06d}" for value in rng.integers(0, 10**6, n)])


def picture(path: Path, rng: Rng) -> Path:
    """An image of the sky."""
    hdu = fits.PrimaryHDU(_noise(rng, *rng.integers(8, 300, 2)))
    hdu.header.update(_celestial(rng))
    return _write(path, hdu)


def picture_without_a_word(path: Path, rng: Rng) -> Path:
    """An image whose header says nothing, in the primary HDU or behind it."""
    image = _noise(rng, *rng.integers(3, 300, 2))
    return _write(path, fits.PrimaryHDU(image) if rng.random() < 0.5 else fits.ImageHDU(image))


def picture_with_noise_and_mask(path: Path, rng: Rng) -> Path:
    """A camera's picture: science, error and data quality."""
    shape = rng.integers(16, 200, 2)
    science = fits.ImageHDU(_noise(rng, *shape).astype("f4"), name="SCI")
    science.header.update(_celestial(rng))
    quality = fits.ImageHDU(rng.integers(0, 2, shape).astype("i2"), name="DQ")
    return _write(path, science, fits.ImageHDU(_noise(rng, *shape).astype("f4"), name="ERR"), quality)


def mosaic(path: Path, rng: Rng) -> Path:
    """A picture a detector."""
    return _write(
        path, *(fits.ImageHDU(_noise(rng, 40, 50), name=f"CCD{n}") for n in range(rng.integers(2, 9)))
    )


def packed_picture(path: Path, rng: Rng) -> Path:
    """A picture packed within FITS."""
    return _write(path, fits.CompImageHDU(_noise(rng, 64, 64).astype("i4"), name="IMAGE"))


def long_slit(path: Path, rng: Rng) -> Path:
    """A picture of a slit: wavelengths along one axis, the sky along the other."""
    hdu = fits.PrimaryHDU(_noise(rng, rng.integers(20, 90), rng.integers(200, 900)).astype("f4"))
    hdu.header.update(
        {"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}
    )
    return _write(path, hdu)


def cube(path: Path, rng: Rng) -> Path:
    """A cube of the sky: wavelength, frequency or velocity along the third axis."""
    hdu = fits.PrimaryHDU(_noise(rng, rng.integers(20, 300), *rng.integers(4, 16, 2)).astype("f4"))
    kind, unit, start, step = (
        ("AWAV", "Angstrom", 4750.0, 1.25),
        ("WAVE", "m", 4.75e-7, 1.25e-10),
        ("FREQ", "Hz", 1.4e9, 1e6),
        ("VRAD", "m/s", -2e5, 1e3),
    )[rng.integers(4)]
    hdu.header.update(_celestial(rng, 1) | {"CTYPE3": kind, "CUNIT3": unit, "CRVAL3": start, "CDELT3": step})
    hdu.header["CRPIX3"] = 1.0
    if rng.random() < 0.5:
        return _write(
            path, fits.ImageHDU(hdu.data, hdu.header, name="DATA"), fits.ImageHDU(hdu.data, name="STAT")
        )
    return _write(path, hdu)


def radio_line(path: Path, rng: Rng) -> Path:
    """A spectrum of radio: no optical light."""
    hdu = fits.PrimaryHDU(rng.normal(0, 1, rng.integers(200, 2000)).astype("f4"))
    hdu.header.update({"CTYPE1": "FREQ", "CUNIT1": "Hz", "CRVAL1": 1.42e9, "CDELT1": 1e4, "BUNIT": "Jy"})
    hdu.header["CRPIX1"] = 1.0
    return _write(path, hdu)


def velocities(path: Path, rng: Rng) -> Path:
    """A line profile against velocity."""
    hdu = fits.PrimaryHDU(rng.normal(0, 1, rng.integers(200, 900)).astype("f4"))
    hdu.header.update({"CTYPE1": str(rng.choice(["VELO-LSR", "VRAD", "VOPT"])), "CUNIT1": "km/s"})
    hdu.header.update({"CRVAL1": float(rng.choice([-500.0, 1000.0])), "CDELT1": 2.0, "CRPIX1": 1.0})
    return _write(path, hdu)


def row_of_counts(path: Path, rng: Rng) -> Path:
    """One line of numbers, with no axis, or one of pixels, of time or of the sky."""
    hdu = fits.PrimaryHDU(_noise(rng, rng.integers(150, 5000)))
    hdu.header.update(
        (
            {},
            {"CTYPE1": "PIXEL", "CRVAL1": 1.0, "CDELT1": 1.0, "CRPIX1": 1.0},
            {"CRVAL1": 0.0, "CDELT1": 1.0, "CRPIX1": 1.0},
            {"CTYPE1": "TIME", "CUNIT1": "s", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0},
            {"CTYPE1": "RA---TAN", "CUNIT1": "deg", "CRVAL1": 180.0, "CDELT1": 1e-3, "CRPIX1": 1.0},
            {"CTYPE1": "ENER", "CUNIT1": "keV", "CRVAL1": 0.3, "CDELT1": 0.01, "CRPIX1": 1.0},
        )[rng.integers(6)]
    )
    return _write(path, hdu)


def catalogue(path: Path, rng: Rng) -> Path:
    """Sources with positions, magnitudes and fluxes of a band or several."""
    n, bands = int(rng.integers(3, 3000)), int(rng.integers(1, 6))
    flux = rng.lognormal(2, 1, (n, bands)).astype("f4")
    form = f"{bands}E"
    columns = [
        fits.Column("NAME", "10A", array=_names(rng, n)),
        fits.Column("RA", "D", unit="deg", array=rng.uniform(0, 360, n)),
        fits.Column("DEC", "D", unit="deg", array=rng.uniform(-90, 90, n)),
        fits.Column(str(rng.choice(["FLUX", "flux", "FLUX_AUTO", "SPECTROFLUX"])), form, array=flux),
        fits.Column("FLUX_ERR", form, array=0.1 * flux),
        fits.Column("Z", "E", array=rng.uniform(0, 3, n)),
    ]
    if rng.random() < 0.5:
        columns.append(
            fits.Column("LAMBDA", form, unit="Angstrom", array=np.tile(4000 + 900 * np.arange(bands), (n, 1)))
        )
    return _write(path, fits.BinTableHDU.from_columns(columns, name="CATALOG"))


def catalogue_of_lines(path: Path, rng: Rng) -> Path:
    """Spectral lines: a wavelength, a flux and an error each, sorted or not."""
    n = int(rng.integers(60, 2000))
    where = rng.uniform(3000, 10_000, n)
    columns = [
        fits.Column(
            "wavelength", "D", unit="Angstrom", array=np.sort(where) if rng.random() < 0.5 else where
        ),
        fits.Column("flux", "E", array=rng.lognormal(0, 1, n)),
        fits.Column("flux_err", "E", array=rng.lognormal(-2, 1, n)),
    ]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="LINES"))


def light_curve(path: Path, rng: Rng) -> Path:
    """Flux against time."""
    n = int(rng.integers(100, 3000))
    columns = [
        fits.Column(str(rng.choice(["TIME", "MJD", "BJD"])), "D", unit="d", array=55_000 + np.arange(n) / 48),
        fits.Column(str(rng.choice(["FLUX", "SAP_FLUX", "PDCSAP_FLUX"])), "E", array=rng.normal(1000, 3, n)),
        fits.Column("FLUX_ERR", "E", array=np.full(n, 3.0)),
        fits.Column("QUALITY", "J", array=rng.integers(0, 2, n)),
    ]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE"))


def filter_curve(path: Path, rng: Rng) -> Path:
    """A response: transmission against wavelength."""
    where = np.arange(4000.0, 6000.0, 5.0)
    columns = [
        fits.Column("WAVELENGTH", "D", unit="Angstrom", array=where),
        fits.Column(
            str(rng.choice(["THROUGHPUT", "TRANSMISSION", "QE"])),
            "E",
            array=np.exp(-(((where - 5000) / 500) ** 2)),
        ),
    ]
    return _write(path, fits.BinTableHDU.from_columns(columns))


def few_bands(path: Path, rng: Rng) -> Path:
    """An energy distribution: a flux in each of some bands."""
    n = int(rng.integers(5, 40))
    columns = [
        fits.Column("WAVELENGTH", "D", unit="Angstrom", array=np.geomspace(1500, 24_000, n)),
        fits.Column("FLUX", "E", unit="Jy", array=rng.lognormal(0, 1, n)),
        fits.Column("ERROR", "E", unit="Jy", array=rng.lognormal(-2, 1, n)),
    ]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="SED"))


def map_of_the_sky(path: Path, rng: Rng) -> Path:
    """A HEALPix map."""
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("TEMPERATURE", "1024E", array=rng.normal(0, 1, (12, 1024)))]
    )
    hdu.header.update({"PIXTYPE": "HEALPIX", "NSIDE": 32, "ORDERING": "RING"})
    return _write(path, hdu)


def events(path: Path, rng: Rng) -> Path:
    """Photons of an X-ray telescope, a row each."""
    n = int(rng.integers(100, 5000))
    names = ("TIME", "X", "Y", "PHA", "PI", "ENERGY")
    columns = [fits.Column(name, "E", array=rng.uniform(0, 4096, n)) for name in names]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="EVENTS"))


def pulse_heights(path: Path, rng: Rng) -> Path:
    """Counts a channel of an X-ray detector."""
    n = int(rng.choice([256, 1024, 4096]))
    columns = [
        fits.Column("CHANNEL", "J", array=np.arange(n)),
        fits.Column("COUNTS", "J", array=rng.poisson(20, n)),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="SPECTRUM")
    hdu.header.update({"TELESCOP": "CHANDRA", "HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM"})
    return _write(path, hdu)


def ascii_table(path: Path, rng: Rng) -> Path:
    """A table of text within FITS."""
    n = int(rng.integers(5, 500))
    columns = [
        fits.Column("NAME", "A10", array=_names(rng, n)),
        fits.Column("MAG", "F8.3", array=rng.uniform(12, 22, n)),
        fits.Column("FLUX", "E12.5", array=rng.lognormal(0, 1, n)),
    ]
    return _write(path, fits.TableHDU.from_columns(columns, name="PHOT"))


def nothing(path: Path, rng: Rng) -> Path:
    """Headers alone, or a table without rows."""
    if rng.random() < 0.5:
        return _write(path, fits.PrimaryHDU())
    columns = [fits.Column(name, "E", array=np.zeros(0)) for name in ("WAVELENGTH", "FLUX", "ERROR")]
    return _write(path, fits.BinTableHDU.from_columns(columns))


def groups(path: Path, rng: Rng) -> Path:
    """Visibilities of an interferometer, as random groups."""
    data = fits.GroupData(
        rng.normal(0, 1, (20, 1, 1, 4, 3)).astype("f4"), parnames=["UU", "VV", "WW"],
        pardata=[rng.normal(0, 1, 20).astype("f4") for _ in range(3)], bitpix=-32,
    )  # fmt: skip
    path = path.with_suffix(".fits")
    fits.HDUList([fits.GroupsHDU(data)]).writeto(path)
    return path


def strings_of_any_length(path: Path, rng: Rng) -> Path:
    """A table whose columns lie in the heap, text and numbers."""
    n = int(rng.integers(3, 60))
    rows = np.empty(n, dtype=object)
    rows[:] = [rng.normal(0, 1, rng.integers(0, 300)).astype("f4") for _ in range(n)]
    columns = [fits.Column("FLUX", "PE()", array=rows), fits.Column("NAME", "10A", array=_names(rng, n))]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="CUTOUTS"))


def stamps(path: Path, rng: Rng) -> Path:
    """Small pictures, one a row of a table, some of them called flux."""
    n, size = int(rng.integers(2, 40)), int(rng.integers(5, 30))
    columns = [
        fits.Column("TIME", "D", array=np.arange(float(n))),
        fits.Column(
            "FLUX", f"{size * size}E", dim=f"({size},{size})", array=rng.normal(0, 1, (n, size, size))
        ),
    ]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="PIXELS"))


def several_pictures_called_flux(path: Path, rng: Rng) -> Path:
    """Maps of what was fitted to a cube, called as arrays of spectra are."""
    shape = rng.integers(8, 80, 2)
    names = ("FLUX", "IVAR", "MASK", "WAVELENGTH")[: rng.integers(2, 5)]
    return _write(path, *(fits.ImageHDU(rng.uniform(1, 2, shape).astype("f4"), name=name) for name in names))


def eigenvectors(path: Path, rng: Rng) -> Path:
    """Components of templates: rows on one axis of log10 of wavelength, none of them an object's."""
    hdu = fits.PrimaryHDU(rng.normal(0, 1, (rng.integers(3, 12), 900)).astype("f4"))
    hdu.header.update({"COEFF0": 3.3, "COEFF1": 3e-4, "TEMPLATE": "GALAXY"})
    return _write(path, hdu)


AXIS = {"CTYPE1": "LINEAR", "CUNIT1": "Angstrom", "CRVAL1": 3500.0, "CDELT1": 3.0, "CRPIX1": 1.0}


def calibration(path: Path, rng: Rng) -> Path:
    """An arc, a flat, sky or a curve of sensitivity with a right axis: what it is, its header says alone."""
    n = 2000
    where = np.arange(n)
    peaks = sum(rng.lognormal(6, 1) * np.exp(-(((where - rng.uniform(0, n)) / 2) ** 2)) for _ in range(60))
    kinds: tuple[tuple[Any, str, str], ...] = (
        (50 + peaks, "IMAGETYP", "comp"), (50 + peaks, "OBJECT", "HeNeAr"), (50 + peaks, "OBSTYPE", "ARC"),
        (50 + peaks, "HIERARCH ESO DPR TYPE", "LAMP,WAVE"), (20 + peaks, "OBJECT", "SKY"),
        (np.ones(n), "IMAGETYP", "flat"), (35 + np.cos(where / 700), "OBJECT", "Sensitivity function"),
    )  # fmt: skip
    flux, key, said = kinds[rng.integers(len(kinds))]
    hdu = fits.PrimaryHDU((flux + rng.normal(0, 0.01, n)).astype("f4"))
    hdu.header.update(AXIS | {key: said})
    return _write(path, hdu)


def cross_correlation(path: Path, rng: Rng) -> Path:
    """A profile against velocity, of one order or of all."""
    velocity = np.arange(-30.0, 30.0, 0.25)
    profile = 1 - 0.4 * np.exp(-((velocity / 4) ** 2))
    shape = (73, velocity.size) if rng.random() < 0.5 else (velocity.size,)
    hdu = fits.PrimaryHDU((profile + rng.normal(0, 0.001, shape)).astype("f4"))
    hdu.header.update({"CRVAL1": -30.0, "CDELT1": 0.25, "CTYPE1": str(rng.choice(["LINEAR", "VELOCITY"]))})
    return _write(path, hdu)


def orders(path: Path, rng: Rng) -> Path:
    """Orders of an echelle, or fibres on one galaxy, none an object's spectrum of its own."""
    where = np.array([np.linspace(3800 + 60 * k, 3870 + 60 * k, 1500) for k in range(30)])
    counts = rng.normal(1000, 30, where.shape).astype("f4")
    names = [("SCIDATA", "ERRDATA", "WAVEDATA_VAC_BARY"), ("FLUX", "ERROR", "WAVELENGTH")][rng.integers(2)]
    made = (counts, counts * 0 + 30, where)
    return _write(path, *(fits.ImageHDU(array, name=name) for array, name in zip(made, names, strict=True)))


def pipeline_tables(path: Path, rng: Rng) -> Path:
    """Redshifts, responses, sensitivities, wavelength solutions: what pipelines leave beside spectra."""
    n = int(rng.integers(100, 900))
    where = np.linspace(3600.0, 9800.0, n)
    columns: tuple[dict[str, Any], ...] = (
        {"TARGETID": np.arange(n), "Z": rng.uniform(0, 1, n), "CHI2": rng.lognormal(8, 1, n)},
        {"ENERG_LO": where / 1e3, "ENERG_HI": where / 1e3 + 0.01, "SPECRESP": rng.uniform(0, 900, n)},
        {"SENS_WAVE": where[None], "SENS_ZEROPOINT": rng.normal(18, 0.1, (1, n))},
        {"PIXEL": np.arange(float(n)), "WAVE": where},
        {"WAVELENGTH": where, **{f"g{k:02d}": rng.lognormal(0, 0.1, n) for k in range(0, 50, 5)}},
    )
    chosen = columns[rng.integers(len(columns))]
    return _write(path, fits.BinTableHDU(Table(chosen)))


def rows_to_come(path: Path, rng: Rng) -> Path:
    """A table of vectors that was made for spectra, and has no row."""
    columns = [fits.Column(name, "900E", array=np.zeros((0, 900))) for name in ("WAVELENGTH", "FLUX")]
    return _write(path, fits.BinTableHDU.from_columns(columns, name="SCI"))


FITS: tuple[Maker, ...] = (
    picture, picture_without_a_word, picture_with_noise_and_mask, mosaic, packed_picture, long_slit, cube,
    radio_line, velocities, row_of_counts, catalogue, catalogue_of_lines, light_curve, filter_curve,
    few_bands, map_of_the_sky, events, pulse_heights, ascii_table, nothing, groups, strings_of_any_length,
    stamps, several_pictures_called_flux, eigenvectors, calibration, cross_correlation, orders,
    pipeline_tables, rows_to_come,
)  # fmt: skip
