"""Files of text that hold no spectrum: prose, catalogues, light curves, measurements of other kinds, code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.no_spectra_fits import Maker, Rng

WORDS = ("the", "flux", "of", "a", "star", "is", "not", "what", "a", "table", "of", "wavelengths", "says")
CODE = "import sys\n\ndef main():\n    wavelength = 4000.0\n    print(wavelength, file=sys.stderr)\n"


def _write(path: Path, rng: Rng, lines: Iterable[str], *suffixes: str) -> Path:
    path = path.with_suffix(str(rng.choice(suffixes or (".txt", ".dat", ".csv", ".asc", ".tsv"))))
    end = str(rng.choice(["\n", "\r\n"]))
    path.write_text(
        end.join(lines) + end, encoding=str(rng.choice(["utf-8", "utf-8-sig", "utf-16"])), newline=""
    )
    return path


def _table(path: Path, rng: Rng, titles: Sequence[str], *columns: Any) -> Path:
    """A table, its titles plain, commented or left out."""
    comma = str(rng.choice([",", "\t", ";", "  ", " | "]))
    head = {0: [comma.join(titles)], 1: ["# " + comma.join(titles)], 2: []}[int(rng.integers(3))]
    rows = (
        comma.join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row)
        for row in zip(*columns, strict=True)
    )
    return _write(path, rng, [*head, *rows])


def _floats(values: Any) -> list[float]:
    return [float(value) for value in values]


def prose(path: Path, rng: Rng) -> Path:
    """Sentences."""
    return _write(
        path,
        rng,
        (" ".join(rng.choice(WORDS, rng.integers(3, 14))) + "." for _ in range(rng.integers(1, 200))),
    )


def code(path: Path, rng: Rng) -> Path:
    """A program, a log, or settings."""
    log = [
        f"2026-01-{day:02d} 12:00:00 INFO read spectrum {day} flux 1.5"
        for day in range(1, rng.integers(3, 28))
    ]
    return _write(path, rng, [CODE.splitlines(), log, ["[worker]", "batch = 5", "flux = 3"]][rng.integers(3)])


def document(path: Path, rng: Rng) -> Path:
    """JSON, XML, HTML or YAML."""
    content = {
        "objects": [{"name": f"o{n}", "flux": float(rng.normal())} for n in range(rng.integers(1, 90))]
    }
    kind = int(rng.integers(4))
    if kind == 0:
        path = path.with_suffix(str(rng.choice([".json", ".txt"])))
        path.write_text(json.dumps(content, indent=int(rng.integers(0, 3)) or None))
        return path
    lines = (
        [
            "<?xml version='1.0'?>",
            "<r>",
            *(f"<o><flux>{n}</flux></o>" for n in range(rng.integers(2, 99))),
            "</r>",
        ],
        ["<!DOCTYPE html>", "<html><body>404 not found: spectrum.fits</body></html>"],
        ["objects:", *(f"  - flux: {n}" for n in range(rng.integers(2, 99)))],
    )[kind - 1]
    return _write(path, rng, lines, ".xml", ".html", ".yaml", ".txt", ".csv")


def catalogue(path: Path, rng: Rng) -> Path:
    """Sources with positions and magnitudes or fluxes."""
    n = int(rng.integers(3, 800))
    titles = ("name", "ra", "dec", str(rng.choice(["mag", "flux", "flux_g", "z"])), "error")
    names = [f"J{value:06d}" for value in rng.integers(0, 10**6, n)]
    numbers = (
        rng.uniform(0, 360, n),
        rng.uniform(-90, 90, n),
        rng.lognormal(1, 1, n),
        rng.lognormal(-1, 1, n),
    )
    return _table(path, rng, titles, names, *map(_floats, numbers))


def numbers_of_a_catalogue(path: Path, rng: Rng) -> Path:
    """The same without names: columns of numbers alone, sorted by the first."""
    n = int(rng.integers(100, 2000))
    first = np.sort(rng.uniform(0, 360, n)) if rng.random() < 0.5 else np.sort(rng.uniform(12, 25, n))
    return _table(
        path,
        rng,
        ("ra", "dec", "z"),
        _floats(first),
        _floats(rng.uniform(-90, 90, n)),
        _floats(rng.uniform(0, 1, n)),
    )


def light_curve(path: Path, rng: Rng) -> Path:
    """Magnitudes or flux against the date."""
    n = int(rng.integers(100, 1000))
    start = float(rng.choice([55_000.0, 2_455_000.5, 59_000.25]))
    titles = (str(rng.choice(["mjd", "jd", "time"])), str(rng.choice(["flux", "mag"])), "error")
    flux = 100 + 10 * np.sin(np.arange(n) / rng.uniform(3, 90)) + rng.normal(0, 1, n)
    return _table(path, rng, titles, _floats(start + np.arange(n) * 0.5), _floats(flux), [1.0] * n)


def lines(path: Path, rng: Rng) -> Path:
    """Spectral lines, by wavelength."""
    n = int(rng.integers(60, 900))
    where = np.sort(rng.uniform(3000, 10_000, n))
    titles = (str(rng.choice(["wavelength", "lambda", "wave"])), "flux", "error")
    return _table(
        path, rng, titles, _floats(where), _floats(rng.lognormal(0, 1, n)), _floats(rng.lognormal(-2, 1, n))
    )


def filter_curve(path: Path, rng: Rng) -> Path:
    """Transmission against wavelength."""
    where = np.arange(3800.0, 5600.0, float(rng.choice([5.0, 10.0])))
    through = np.exp(-(((where - 4700) / 400) ** 6))
    return _table(path, rng, ("wavelength", "transmission"), _floats(where), _floats(through))


def few_bands(path: Path, rng: Rng) -> Path:
    """An energy distribution."""
    n = int(rng.integers(4, 60))
    return _table(
        path,
        rng,
        ("wavelength", "flux", "error"),
        _floats(np.geomspace(2000, 20_000, n)),
        _floats(rng.lognormal(0, 1, n)),
        [0.1] * n,
    )


def counts(path: Path, rng: Rng) -> Path:
    """A histogram, or what a detector counted: the first column numbers the bins."""
    n = int(rng.integers(100, 4000))
    return _table(
        path, rng, ("channel", "counts"), list(range(n)), [int(value) for value in rng.poisson(30, n)]
    )


def other_spectra(path: Path, rng: Rng) -> Path:
    """Masses, wave numbers, energies, radio frequencies: spectra, but none of optical light."""
    n = int(rng.integers(200, 1500))
    title, start, step = (
        ("m/z", 50.0, 0.5), ("energy [keV]", 0.3, 0.01), ("frequency [MHz]", 1400.0, 0.1),
        ("velocity", -500.0, 1.0),
    )[rng.integers(4)]  # fmt: skip
    return _table(
        path, rng, (title, "intensity"), _floats(start + step * np.arange(n)), _floats(rng.lognormal(0, 1, n))
    )


def shop(path: Path, rng: Rng) -> Path:
    """Prices by the day."""
    n = int(rng.integers(20, 900))
    days = [f"20{20 + n // 360:02d}-{1 + n // 30 % 12:02d}-{1 + n % 28:02d}" for n in range(n)]
    return _table(
        path,
        rng,
        ("date", "open", "close"),
        days,
        *(_floats(100 + rng.normal(0, 1, n).cumsum()) for _ in range(2)),
    )


def weather(path: Path, rng: Rng) -> Path:
    """Temperatures by year."""
    n = int(rng.integers(100, 220))
    return _table(
        path,
        rng,
        ("year", "anomaly", "sigma"),
        list(range(1800, 1800 + n)),
        _floats(rng.normal(0, 0.3, n).cumsum()),
        [0.1] * n,
    )


def walk(path: Path, rng: Rng) -> Path:
    """Two columns without titles whose first rises as wavelengths do, and whose second is of chance."""
    n = int(rng.integers(300, 3000))
    values = (rng.normal(0, 1, n).cumsum(), rng.normal(0, 1, n), np.sin(np.arange(n) / rng.uniform(2, 99)))
    first = _floats(
        float(rng.choice([1000.0, 3500.0, 4000.0])) + np.arange(n) * float(rng.choice([1.0, 2.0]))
    )
    return _write(path, rng, (f"{x} {y:.5f}" for x, y in zip(first, values[rng.integers(3)], strict=True)))


def constant(path: Path, rng: Rng) -> Path:
    """Titles of a spectrum over a constant, a ramp, or nothing but zeros."""
    n = int(rng.integers(300, 3000))
    flux = (np.full(n, rng.uniform(0, 9)), np.arange(n) * 1.0, np.zeros(n), np.full(n, np.nan))[
        rng.integers(4)
    ]
    return _table(
        path,
        rng,
        ("wavelength", "flux", "error"),
        _floats(3800 + 2.0 * np.arange(n)),
        _floats(flux),
        [1.0] * n,
    )


def ecsv(path: Path, rng: Rng) -> Path:
    """An ECSV or VOTable catalogue."""
    from astropy.table import Table

    n = int(rng.integers(3, 500))
    table = Table(
        {"name": [f"o{k}" for k in range(n)], "ra": rng.uniform(0, 360, n), "flux": rng.lognormal(0, 1, n)}
    )
    if rng.random() < 0.5:
        table.write(path.with_suffix(".ecsv"), format="ascii.ecsv")
        return path.with_suffix(".ecsv")
    table.write(path.with_suffix(".vot"), format="votable")
    return path.with_suffix(".vot")


def reduced_dates(path: Path, rng: Rng) -> Path:
    """A light curve without titles whose dates, less a round number, could be angstrom."""
    n = int(rng.integers(300, 3000))
    start, step = ((1325.3, 2 / 1440), (3208.3, 20 / 86400), (8000.0, 1.0), (5500.0, 0.5))[rng.integers(4)]
    time = np.sort(start + step * (np.arange(n) + rng.normal(0, 0.15 if step > 0.1 else 0.0, n)))
    flux = 12 + 0.3 * np.sin(time / rng.uniform(3, 90)) + rng.normal(0, 0.02, n)
    error = rng.uniform(0.018, 0.022, n)
    return _write(path, rng, (f"{t:.7f} {f:.5f} {e:.5f}" for t, f, e in zip(time, flux, error, strict=True)))


def templates(path: Path, rng: Rng) -> Path:
    """Several spectra on one axis, none of them noise, whatever stands in the third column."""
    where = np.arange(3600.0, 9600.0, 2.0)
    kinds = [
        np.cumsum(rng.normal(0, 1, where.size)) / 9 + 50 + rng.normal(0, 1, where.size) for _ in range(3)
    ]
    titles = ["wavelength", *([f"flux_{kind}" for kind in "EMQ"] if rng.random() < 0.5 else list("abc"))]
    return _table(path, rng, titles, _floats(where), *map(_floats, kinds))


def standard_star(path: Path, rng: Rng) -> Path:
    """A table for calibration: wavelength, AB magnitude, width of the band."""
    where = np.arange(3600.0, 10_000.0, float(rng.choice([16.0, 50.0])))
    magnitude = 11 + np.cumsum(rng.normal(0, 0.01, where.size))
    return _table(
        path, rng, ("wavelength", "AB_mag", "width"), *map(_floats, (where, magnitude, where * 0 + 16))
    )


def against_wavelength(path: Path, rng: Rng) -> Path:
    """What is no flux, by wavelength: polarisation, extinction, reflectance, absorbance, widths of lines."""
    where = np.arange(4000.0, 9000.0, 4.0)
    title = str(rng.choice(["polarization", "extinction", "reflectance", "absorbance", "FWHM", "depth"]))
    values = 1 + rng.normal(0, 0.1, where.size)
    error = rng.uniform(0.09, 0.11, where.size)
    return _table(path, rng, ("wavelength", title, "error"), *map(_floats, (where, values, error)))


def periodogram(path: Path, rng: Rng) -> Path:
    """Power by frequency."""
    n = int(rng.integers(500, 5000))
    where = float(rng.choice([0.0, 1000.0])) + 0.5 * np.arange(n)
    return _table(path, rng, ("frequency", "power"), _floats(where), _floats(rng.exponential(1, n)))


def ipac(path: Path, rng: Rng) -> Path:
    """A light curve in IPAC's tables."""
    rows = [f"  {2459000 + n / 720:14.5f} {rng.normal(1, 1e-3):9.5f} 0.00100" for n in range(300)]
    head = ["\\fixlen = T", "|BJD_TDB        |Relative |err    |", "|double         |double   |double |"]
    return _write(path, rng, [*head, *rows], ".tbl", ".txt")


TEXT: tuple[Maker, ...] = (
    prose, code, document, catalogue, numbers_of_a_catalogue, light_curve, lines, filter_curve, few_bands,
    counts, other_spectra, shop, weather, walk, constant, ecsv, reduced_dates, templates, standard_star,
    against_wavelength, periodogram, ipac,
)  # fmt: skip
