"""Text as people write it: whatever its encoding, marks and titles, the same spectrum, or an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.readers import read
from tests.support import made_files as made

N = 300
WAVE = 4000.0 + 1.25 * np.arange(N)
FLUX = np.round(made.pixels(seed=4, n=N)[0].astype(float), 4)
ERROR = 0.7 + 0.001 * (np.arange(N) % 7)
ROWS = [(f"{w:.2f}", f"{f:.4f}", f"{e:.4f}") for w, f, e in zip(WAVE, FLUX, ERROR, strict=True)]


def body(mark: str = ",", change: Callable[[str], str] = str, end: str = "\n", columns: int = 3) -> str:
    return "".join(mark.join(map(change, row[:columns])) + end for row in ROWS)


TITLES = "wavelength,flux,error\n"
NANOMETRES = "".join(f"{w / 10:.3f},{f},{e}\n" for w, (_, f, e) in zip(WAVE, ROWS, strict=True))
LOGARITHMS = "".join(f"{np.log(w):.12f},{f},{e}\n" for w, (_, f, e) in zip(WAVE, ROWS, strict=True))

WRITTEN: dict[str, bytes] = {
    "Excel's UTF-8": ("\ufeffwavelength,flux,error\r\n" + body(end="\r\n")).encode(),
    "Excel's Unicode text": ("wavelength\tflux\terror\r\n" + body("\t", end="\r\n")).encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + ("wavelength\tflux\terror\n" + body("\t")).encode("utf-16-be"),
    "an old Mac's": ("wavelength,flux,error\r" + body(end="\r")).encode(),
    "a comment beyond ASCII": ("# Wellenlänge in Å\n" + TITLES + body()).encode(),
    "a comment in Latin-1": ("# Wellenlänge in Å\n" + TITLES + body()).encode("latin-1"),
    "units in titles": ("Wavelength (Å),Flux (10⁻¹⁷ erg s⁻¹ cm⁻² Å⁻¹),Error\n" + body()).encode(),
    "units in titles, between blanks": (b"Wavelength (nm)  Flux [erg/s/cm2/A]  Flux error\n")
    + NANOMETRES.replace(",", "  ").encode(),
    "a unit behind an underscore": ("wavelength_nm,flux,error\n" + NANOMETRES).encode(),
    "a line of units": ("wavelength,flux,error\nnm,Jy,Jy\n" + NANOMETRES).encode(),
    "decimal commas": ("wavelength;flux;error\n" + body(";", lambda c: c.replace(".", ","))).encode(),
    "commas and tabs": ("wavelength\tflux\terror\n" + body("\t", lambda c: c.replace(".", ","))).encode(),
    "exponents of Fortran": ("wavelength flux error\n" + body("  ", lambda c: f"{c}D+00")).encode(),
    "quoted cells": ('"wavelength","flux","error"\n' + body(",", lambda c: f'"{c}"')).encode(),
    "bars": ("| wavelength | flux | error |\n" + body(" | ")).encode(),
    "titles as a comment": ("# Keck LRIS\n# wavelength flux error\n" + body(" ")).encode(),
    "titles, a line each": ("#  1 WAVE  wavelength [Angstrom]\n#  2 FLUX\n#  3 ERR\n" + body(" ")).encode(),
    "no titles": body("  ").encode(),
    "keys and no titles": ("# TELESCOPE: P60\n# OBJECT: gal-107\n# AIRMASS: 1.17\n" + body(" ")).encode(),
    "FITS cards and no titles": ("# SIMPLE  =    T\n# OBJECT  = 'gal-107'\n# END\n" + body(" ")).encode(),
    "percent signs": ("% wavelength flux error\n" + body(" ")).encode(),
    "empty rows of a spreadsheet": (TITLES + body() + ",,\n,,\n").encode(),
    "a unit behind a comma": ('"Wavelength, nm",flux,error\n' + NANOMETRES).encode(),
    "Ångström": ("Obs. wavelength (Ångström),flux,error\n" + body()).encode(),
    "natural logarithms": ("ln(lambda),flux,error\n" + LOGARITHMS).encode(),
    "natural logarithms, called logarithms": ("loglam,flux,error\n" + LOGARITHMS).encode(),
    "counts": ("wavelength,counts,error\n" + body()).encode(),
    "an IPAC table": (
        "\\origin = 'x'\n|wavelength|flux  |error |\n|double    |double|double|\n|angstrom  |      |      |\n"
        + body("  ")
    ).encode(),
    "other titles": ("WaveObs\tFlx\tsig\n" + body("\t")).encode(),
}  # fmt: skip


def one(path: Path) -> tuple[Spectrum, list[str]]:
    notes: list[str] = []
    (spectrum,) = read(path, note=notes.append)
    assert isinstance(spectrum, Spectrum), str(spectrum)
    return spectrum, notes


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "spectrum.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("name", WRITTEN)
def test_the_same_spectrum_comes_out_however_it_is_written(tmp_path: Path, name: str) -> None:
    spectrum, notes = one(written(tmp_path, WRITTEN[name]))
    assert spectrum.wavelength is not None and spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.wavelength, WAVE, rtol=1e-9)
    shape = spectrum.flux / FLUX * (1.0 if name != "a line of units" else WAVE**2)
    np.testing.assert_allclose(shape, shape[0], rtol=1e-5)
    np.testing.assert_allclose(spectrum.flux * np.sqrt(spectrum.ivar), FLUX / ERROR, rtol=1e-4)
    assert any("no titles: taken as wavelength, flux, error" in note for note in notes) == (
        "no titles" in name
    )
    assert any("Latin-1" in note for note in notes) == ("Latin-1" in name)
    if "keys" in name or "cards" in name:
        assert spectrum.target_id == "gal-107"


@pytest.mark.parametrize(
    "word", ["NA", "N/A", "INDEF", "null", "None", "nan", "--", "-", "...", "****", "#N/A", "#DIV/0!", ""]
)
def test_words_for_nothing_are_pixels_that_are_not_used(tmp_path: Path, word: str) -> None:
    rows = body().splitlines()
    rows[7] = f"{ROWS[7][0]},{word},{ROWS[7][2]}"
    spectrum, _ = one(written(tmp_path, TITLES + "\n".join(rows)))
    assert np.flatnonzero(~np.isfinite(spectrum.flux)).tolist() == [7]
    np.testing.assert_allclose(spectrum.flux[8:], FLUX[8:], rtol=1e-6)


@pytest.mark.parametrize("name", ["DQ", "qual", "Flags", "mask"])
def test_a_column_of_quality_takes_the_weight_of_what_is_not_zero(tmp_path: Path, name: str) -> None:
    rows = [f"{line},{16 if 20 <= i < 30 else 0}" for i, line in enumerate(body().splitlines())]
    spectrum, _ = one(written(tmp_path, f"wavelength,flux,error,{name}\n" + "\n".join(rows)))
    assert spectrum.ivar is not None
    assert np.flatnonzero(spectrum.ivar == 0).tolist() == list(range(20, 30))


def test_without_noise_the_columns_that_are_not_used_are_said(tmp_path: Path) -> None:
    spectrum, notes = one(written(tmp_path, "wavelength,flux,fuzz\n" + body()))
    assert spectrum.ivar is None
    assert any("estimated" in note and "fuzz" in note for note in notes)


def test_a_third_column_without_a_title_that_is_no_noise_is_not_used_and_said(tmp_path: Path) -> None:
    rows = "\n".join(f"{w} {f} {4000 * i}" for i, (w, f, _) in enumerate(ROWS))
    spectrum, notes = one(written(tmp_path, rows))
    assert spectrum.ivar is None
    assert any("taken as wavelength, flux; not used: column 3" in note for note in notes)


LONG = "object_id,wavelength,flux,ra\n"
OTHER = [(w, f"{-float(f):.4f}", e) for w, f, e in ROWS[:200]]


@pytest.mark.parametrize("order", ["one after the other", "by wavelength"])
@pytest.mark.parametrize("names", [("gal-107", "qso-436"), ("0007", "39627640566453451")])
def test_a_long_table_is_a_spectrum_an_object(tmp_path: Path, order: str, names: tuple[str, str]) -> None:
    rows = [f"{names[0]},{w},{f},10.5" for w, f, _ in ROWS] + [
        f"{names[1]},{w},{f},20.5" for w, f, _ in OTHER
    ]
    if order == "by wavelength":
        rows.sort(key=lambda row: float(row.split(",")[1]))
    found = made.spectra(written(tmp_path, LONG + "\n".join(rows)))
    assert [spectrum.spectrum_id for spectrum in found] == list(names)
    assert [spectrum.ra for spectrum in found] == [10.5, 20.5]
    np.testing.assert_allclose(found[0].flux, FLUX, rtol=1e-6)
    np.testing.assert_allclose(found[1].flux, -FLUX[:200], rtol=1e-6)


@pytest.mark.parametrize("order", ["one after the other", "by wavelength", "on another grid"])
def test_spectra_that_nothing_tells_apart_are_an_error_and_no_average(tmp_path: Path, order: str) -> None:
    shift = 0.4 if order == "on another grid" else 0.0
    rows = [f"{w},{f}" for w, f, _ in ROWS] + [f"{float(w) + shift},{f}" for w, f, _ in ROWS]
    if order == "by wavelength":
        rows.sort(key=lambda row: float(row.split(",")[0]))
    (error,) = made.spectra_errors(written(tmp_path, "wavelength,flux\n" + "\n".join(rows)))
    assert "several spectra" in str(error) and "object_id" in str(error)


def test_a_column_that_numbers_the_pixels_tells_no_objects_apart(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{w},{f}" for i, (w, f, _) in enumerate(ROWS))
    spectrum, _ = one(written(tmp_path, "id,wavelength,flux\n" + rows))
    assert spectrum.n_pixels == N


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("58000.1 17.2 0.1\n58003.2 17.5 0.1\n58900.2 18.5 0.1\n" * 40, "have no titles"),
        ("".join(f"{i} {i % 7}.5\n" for i in range(1, 4000)), "have no titles"),
        ("wavelength (parrots),flux\n" + body(columns=2), "parrots, which is not understood"),
        ("wavelength (nm),flux (mJy),error (K)\n" + NANOMETRES, "does not go with"),
        ("velocity flux\n" + body(" ", columns=2), "no wavelength"),
        ("# velocity flux\n" + body(" ", columns=2), "no wavelength"),
        ("wavelength;flux\n" + "4000,5;1.5\n4001.5;2,5\n" * 9, "comma and with a point"),
        (TITLES + body() + "4500,1\n", "line 302 has 2 columns"),
        ('{"wavelength": [4000, 4001],\n"flux": [1, 2]}\n', "a JSON document"),
        ('[{"wavelength": 4000.0, "flux": 1.5}]\n', "a JSON document"),
        ('4000,"' + "1" * 200_000 + '"\n', "can't be split into cells"),
        ("wavelength,flux_E,flux_M\n" + body(), "no flux"),
        ("time,flux\n" + body(columns=2), "looks like a light curve"),
        ("wavelength transmission\n" + body(" ", columns=2), "looks like a curve of response"),
        ("frequency,power\n" + body(columns=2), "looks like a periodogram"),
        ("wavelength,q,u\n" + body(), "looks like polarisation"),
        ("name,ra,dec,mag\n" + "a,1.5,2.5,17.1\n" * 9, "looks like a catalogue"),
        ("<html>\n<body>no spectrum</body>\n</html>\n", "a page of HTML"),
        ("x" * (1 << 20) + "\n", "no table has such"),
    ],
)  # fmt: skip
def test_what_is_no_spectrum_is_refused_in_words(tmp_path: Path, content: str, said: str) -> None:
    assert said in str(made.error(written(tmp_path, content)))


def test_a_third_column_as_large_as_flux_itself_is_no_noise(tmp_path: Path) -> None:
    rows = "".join(f"{w:.2f} {50 + 0.01 * k + k % 3:.2f} {52 + k % 5:.2f}\n" for k, w in enumerate(WAVE))
    spectrum, notes = one(written(tmp_path, rows))
    assert spectrum.ivar is None
    assert any("taken as wavelength, flux; not used: column 3" in note for note in notes)


@pytest.mark.parametrize("third", ["50", "0.02"])
def test_a_third_column_of_one_number_is_no_noise(tmp_path: Path, third: str) -> None:
    spectrum, notes = one(written(tmp_path, "".join(f"{w} {f} {third}\n" for w, f, _ in ROWS)))
    assert spectrum.ivar is None
    assert any("taken as wavelength, flux; not used: column 3" in note for note in notes)


def test_flux_without_titles_that_is_flat_within_its_errors_is_not_trusted(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    flux, error = 1 + rng.normal(0, 0.1, N), 0.1 + 0.001 * rng.random(N)
    rows = "".join(f"{w} {f:.4f} {e:.4f}\n" for w, f, e in zip(WAVE, flux, error, strict=True))
    spectrum, _ = one(written(tmp_path, rows))
    assert spectrum.ivar is None


def test_dates_of_nights_are_no_wavelengths(tmp_path: Path) -> None:
    days = np.sort(8000.0 + np.arange(N) + np.random.default_rng(6).normal(0, 0.15, N))
    rows = "".join(f"{day:.5f} {f} {e}\n" for day, (_, f, e) in zip(days, ROWS, strict=True))
    assert "does not rise or fall as wavelengths" in str(made.error(written(tmp_path, rows)))


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_wavelengths_may_be_rounded(tmp_path: Path, decimals: int) -> None:
    where = 4000 * 10 ** (1.5e-4 * np.arange(N))
    rows = "".join(f"{w:.{decimals}f} {f} {e}\n" for w, (_, f, e) in zip(where, ROWS, strict=True))
    spectrum, _ = one(written(tmp_path, rows))
    assert spectrum.ivar is not None


def test_nothing_is_remarked_of_a_file_that_is_refused(tmp_path: Path) -> None:
    notes: list[str] = []
    (error,) = read(written(tmp_path, NANOMETRES), note=notes.append)
    assert "can't be angstrom" in str(error) and notes == []


def test_noise_is_in_the_unit_that_its_own_title_says(tmp_path: Path) -> None:
    rows = "".join(f"{w},{f},{1000 * float(e):.1f}\n" for w, f, e in ROWS)
    spectrum, _ = one(written(tmp_path, "wavelength (Angstrom),flux (Jy),error (mJy)\n" + rows))
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.flux * np.sqrt(spectrum.ivar), FLUX / ERROR, rtol=1e-4)


def test_a_unit_of_flux_that_is_not_understood_is_named(tmp_path: Path) -> None:
    _, notes = one(written(tmp_path, "wavelength,flux (parrots),error\n" + body()))
    assert any("parrots, which is not understood" in note for note in notes)
    assert not any("flux has no unit" in note for note in notes)


def sorted_rows(rng: np.random.Generator, low: float, high: float) -> str:
    """A light curve, or a catalogue in the order of its first column."""
    first = np.sort(rng.uniform(low, high, 200))
    return "".join(f"{x:.3f} {y:.2f} 0.05\n" for x, y in zip(first, rng.normal(18, 1, 200), strict=True))


NO_SPECTRA: dict[str, Callable[[np.random.Generator], str]] = {
    "days of a light curve": lambda rng: sorted_rows(rng, 58000, 60000),
    "days less a constant": lambda rng: "# HJD-2450000 mag err\n" + sorted_rows(rng, 7000, 9000),
    "positions": lambda rng: "ra dec z\n" + sorted_rows(rng, 0, 360),
    "positions without titles": lambda rng: sorted_rows(rng, 0, 360),
    "a count of pixels": lambda rng: "".join(f"{i} {rng.random():.3f}\n" for i in range(1, 4000)),
    "a histogram": lambda rng: "bin,count\n" + "".join(f"{10 * i},{rng.integers(50)}\n" for i in range(400)),
    "a log": lambda rng: "".join(f"2026-01-02 12:00:00 took {rng.random():.3f} s\n" for _ in range(200)),
    "prose": lambda rng: "".join(" ".join(rng.choice(["a", "z", "3.2", "NA"], 5)) + "\n" for _ in range(200)),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_SPECTRA)
@pytest.mark.parametrize("seed", range(5))
def test_tables_that_are_no_spectra_are_never_taken_for_one(tmp_path: Path, name: str, seed: int) -> None:
    items = list(read(written(tmp_path, NO_SPECTRA[name](np.random.default_rng(seed))), note=lambda _: None))
    assert items and not any(isinstance(item, Spectrum) for item in items)


@pytest.mark.parametrize("blank", ["-999", "1e30", "0"])
def test_what_stands_for_no_measurement_in_text_is_no_flux(tmp_path: Path, blank: str) -> None:
    lines = [f"{4000 + i},{blank if 100 <= i < 120 else 3 + i % 5},0.5" for i in range(400)]
    path = tmp_path / "blanks.csv"
    path.write_text("\n".join(["wavelength,flux,error", *lines]))
    (spectrum,) = read(path, note=lambda _: None)
    assert isinstance(spectrum, Spectrum)
    assert spectrum.ivar is not None
    assert not spectrum.ivar[100:120].any() and (np.delete(spectrum.ivar, np.s_[100:120]) > 0).all()


@pytest.mark.parametrize(("power", "name"), [(1.0, "error"), (2.0, "variance"), (-2.0, "ivar")])
@pytest.mark.parametrize("level", [100.0, 1e-17])
def test_a_third_column_is_noise_of_whichever_power_goes_with_the_scatter(
    tmp_path: Path, power: float, name: str, level: float
) -> None:
    rng = np.random.default_rng(1)
    error = level * (0.3 + 2.0 * np.linspace(0, 1, 2000))
    flux = level * np.linspace(20, 60, 2000) + error * rng.normal(size=2000)
    np.savetxt(path := tmp_path / "a.txt", np.c_[4000.0 + 2 * np.arange(2000), flux, error**power])
    said: list[str] = []
    (spectrum,) = read(path, note=said.append)
    assert isinstance(spectrum, Spectrum)
    assert any(f"taken as wavelength, flux, {name}" in sentence for sentence in said)
    assert spectrum.ivar is not None
    size = np.nanmedian(np.abs(spectrum.flux)) / np.median(flux)
    np.testing.assert_allclose(spectrum.ivar, error**-2.0 / size**2, rtol=1e-3)


def test_a_third_column_of_signal_to_noise_is_no_noise(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    error = 0.01 + 0.05 * np.linspace(0, 1, 2000)
    flux = np.linspace(2, 6, 2000) + error * rng.normal(size=2000)
    np.savetxt(path := tmp_path / "a.txt", np.c_[4000.0 + 2 * np.arange(2000), flux, flux / error])
    (spectrum,) = made.spectra(path)
    assert spectrum.ivar is None


def test_a_curve_of_transmission_without_titles_is_no_spectrum(tmp_path: Path) -> None:
    curve = np.exp(-(np.linspace(-2, 2, 300) ** 8))
    np.savetxt(path := tmp_path / "g.dat", np.c_[np.linspace(3800, 5600, 300), curve], fmt="%.6f")
    assert "transmission" in str(made.error(path))


@pytest.mark.parametrize("title", ["filename", "SN", "what is it"])
def test_a_column_of_text_that_parts_the_wavelengths_says_whose_they_are(tmp_path: Path, title: str) -> None:
    objects = ((name, row) for name in ("a", "b") for row in ROWS)
    lines = "".join(f"{name},{','.join(row)}\n" for name, row in objects)
    (path := tmp_path / "long.csv").write_text(f"{title},wavelength,flux,error\n{lines}")
    assert [spectrum.spectrum_id for spectrum in made.spectra(path)] == ["a", "b"]


def test_janskys_behind_an_underscore_are_the_unit(tmp_path: Path) -> None:
    lines = "".join(",".join(row) + "\n" for row in ROWS)
    for number, titles in enumerate(("flux_mJy,error_mJy", "flux (mJy),error (mJy)")):
        (tmp_path / f"{number}.csv").write_text(f"wavelength,{titles}\n{lines}")
    first, second = (made.spectra(tmp_path / f"{number}.csv")[0] for number in range(2))
    assert first.flux_unit == second.flux_unit
    assert np.array_equal(first.flux, second.flux, equal_nan=True)
