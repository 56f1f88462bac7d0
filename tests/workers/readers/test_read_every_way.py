"""However a spectrum is written down, it is the same spectrum: to the last pixel, and in its answer."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spectraq
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from tests.support import made_files as made
from tests.support import written_ways as ways
from tests.support.written_ways import CONTAINERS, Pixels, Way

pytestmark = pytest.mark.filterwarnings("ignore")  # of those who write the files

MAX_PIXELS = 20_000
SPECTRA = {
    "galaxy": "sdss-pyqsofit/spec-0266-51602-0107.fits",
    "quasar": "sdss-picca/3655/spec-3655-55240-0436.fits",
    "star": "sdss-pyhammer/spec-5047-55833-0936.fits",
}
RIGHT = {
    "galaxy": ("GALAXY", 0.12313, 2e-4),
    "quasar": ("QSO", 0.87617, 2e-3),
    "star": ("STAR", -0.00017, 2e-4),
}

WAYS = st.builds(
    Way,
    wavelength_unit=st.sampled_from(ways.WAVELENGTH_UNITS),
    flux_unit=st.sampled_from(ways.FLUX_UNITS),
    order=st.sampled_from(ways.ORDERS),
    air=st.booleans(),
    noise=st.sampled_from(sorted(ways.NOISE)),
    noise_in_units_of_its_own=st.booleans(),
    mask=st.sampled_from(("", *ways.BAD, *ways.GOOD)),
    packing=st.sampled_from(sorted(ways.PACKERS)),
)


@cache
def pixels_of(path: Path) -> Pixels:
    """A public spectrum, as its own file has it."""
    (spectrum,) = made.spectra(path)
    assert spectrum.ivar is not None
    used = spectrum.ivar > 0
    flux = np.where(used, spectrum.flux, 1.0).astype(np.float64)
    return Pixels(spectrum.vacuum_wavelength(), flux, spectrum.ivar.astype(np.float64))


def check(found: Spectrum, pixels: Pixels, masked: bool, times: float = 1.0) -> None:
    """Assert that what the networks see is the spectrum that was written."""
    seen = observation(found, MAX_PIXELS)
    ivar = pixels.ivar.copy()
    if masked:
        ivar[ways.MASKED] = 0
    np.testing.assert_allclose(seen.wavelength, pixels.wavelength, rtol=2e-8)
    assert seen.ivar is not None
    np.testing.assert_array_equal(seen.ivar > 0, ivar > 0)
    np.testing.assert_allclose(seen.ivar, ivar / times**2, rtol=1e-4)
    np.testing.assert_allclose(seen.flux[ivar > 0], times * pixels.flux[ivar > 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_pixels_are_the_same_in_whatever_way_they_are_written(container: str, shared_data: Path) -> None:
    if container.startswith("specutils"):
        pytest.importorskip("specutils")

    @given(st.sampled_from(sorted(SPECTRA)), WAYS)
    @settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
    def holds(kind: str, way: Way) -> None:
        pixels = pixels_of(shared_data / "spectra" / SPECTRA[kind])
        with TemporaryDirectory() as folder:
            found = made.spectra(ways.write(pixels, container, way, Path(folder) / "file"))
        masked = bool(way.mask) and not container.startswith("specutils")
        for number, spectrum in enumerate(found, 1):
            check(spectrum, pixels, masked, times=number)
        assert len(found) == (2 if container == "long table" else 1)

    holds()


@pytest.mark.parametrize("unit", ways.WAVELENGTH_UNITS)
def test_an_axis_in_the_header_places_the_same_pixels(unit: str, tmp_path: Path, shared_data: Path) -> None:
    rng = np.random.default_rng(ways.WAVELENGTH_UNITS.index(unit))
    for kind in SPECTRA:
        pixels, cards = ways.on_header_axis(pixels_of(shared_data / "spectra" / SPECTRA[kind]), unit)
        way = replace(some_way(rng), mask=str(rng.choice(["", *ways.BAD, *ways.GOOD])))
        ways.write_image(tmp_path / f"{kind}.fits", pixels, cards, way)
        (found,) = made.spectra(tmp_path / f"{kind}.fits")
        order = np.argsort(pixels.wavelength)
        ascending = Pixels(pixels.wavelength[order], pixels.flux[order], pixels.ivar[order])
        check(found, ascending, bool(way.mask))


@pytest.mark.parametrize("unit", ["Angstrom", "nm", "um", "THz"])
@pytest.mark.parametrize("noise", ["STD", "VAR", "IVAR"])
def test_what_specutils_writes_as_an_image_is_read(
    unit: str, noise: str, tmp_path: Path, shared_data: Path
) -> None:
    specutils = pytest.importorskip("specutils")
    pixels, cards = ways.on_header_axis(pixels_of(shared_data / "spectra" / SPECTRA["galaxy"]), unit)
    power, uncertainty = ways.SPECUTILS_NOISE[noise]
    spectrum = specutils.Spectrum(
        flux=pixels.flux * ways.OWN_UNIT,
        wcs=ways.wcs_of(cards, unit),
        uncertainty=uncertainty(
            np.maximum(pixels.ivar, 1e-6) ** (1 / power), unit=ways.OWN_UNIT ** (-2 / power)
        ),
    )
    spectrum.write(tmp_path / "image.fits", format="wcs1d-fits", uncertainty_name=noise)
    (found,) = made.spectra(tmp_path / "image.fits")
    order = np.argsort(pixels.wavelength)
    check(
        found,
        Pixels(pixels.wavelength[order], pixels.flux[order], np.maximum(pixels.ivar, 1e-6)[order]),
        False,
    )


def some_way(rng: np.random.Generator) -> Way:
    """A way at random, without a mask: that one takes pixels away."""
    return Way(
        str(rng.choice(ways.WAVELENGTH_UNITS)), str(rng.choice(ways.FLUX_UNITS)),
        str(rng.choice(ways.ORDERS)), bool(rng.integers(2)), str(rng.choice(sorted(ways.NOISE))),
        bool(rng.integers(2)), "", str(rng.choice(sorted(ways.PACKERS))),
    )  # fmt: skip


def answers_of(folder: Path, shared_data: Path, n: int) -> None:
    """Write n files, each in a way of its own, and assert that each has the answer of its pixels."""
    rng = np.random.default_rng(1)
    kinds, files = [], []
    containers = [name for name in CONTAINERS if not name.startswith("specutils")]
    for number in range(n):
        kind = sorted(SPECTRA)[number % len(SPECTRA)]
        pixels = pixels_of(shared_data / "spectra" / SPECTRA[kind])
        container = containers[number % len(containers)]
        files.append(ways.write(pixels, container, some_way(rng), folder / f"file{number}"))
        kinds += [kind] * (2 if container == "long table" else 1)
    answers = list(spectraq.analyze(files))
    assert len(answers) == len(kinds)
    for kind, answer in zip(kinds, answers, strict=True):
        spectype, z, tolerance = RIGHT[kind]
        assert not isinstance(answer, spectraq.Unanswered)
        assert answer.classification.spectype == spectype
        assert answer.redshift.z == pytest.approx(z, abs=tolerance)


def test_the_answer_is_the_same_in_whatever_way_a_spectrum_is_written(
    tmp_path: Path, shared_data: Path
) -> None:
    answers_of(tmp_path, shared_data, 11)


@pytest.mark.soak
def test_the_answer_is_the_same_in_hundreds_of_ways(tmp_path: Path, shared_data: Path) -> None:
    answers_of(tmp_path, shared_data, 300)


def test_a_zip_of_a_spectrum_is_refused_by_its_name(tmp_path: Path) -> None:
    path = made.sdss_spec(tmp_path / "spec.fits")
    with zipfile.ZipFile(tmp_path / "spec.zip", "w") as archive:
        archive.write(path, path.name)
    assert "a zip archive" in str(made.error(tmp_path / "spec.zip"))
