"""Extreme numbers in messages and in files: results, or a reason of their own."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from spectraq.models.pipeline import Pipeline
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.files.analyze_files import Answered, Unanswered, analyze
from spectraq.workers.inference import SafeInference
from spectraq.workers.readers import read
from tests.support.feed import Feed
from tests.support.made_files import written

N = 1500
WAVELENGTH = np.linspace(4000.0, 9000.0, N)
FLUX = np.random.default_rng(0).normal(10.0, 1.0, N)


@pytest.fixture(scope="module")
def networks() -> Pipeline:
    """The shipped networks."""
    return Pipeline.load(threads=1)


def spiked(value: float = 3e38) -> np.ndarray:
    """A spectrum with one pixel of this value."""
    flux = FLUX.copy()
    flux[700] = value
    return flux


def message(name: str, flux: np.ndarray, ivar: float | None, wavelength: np.ndarray) -> Spectrum:
    given = None if ivar is None else np.full(N, ivar)
    return Spectrum(spectrum_id=name, flux=flux, ivar=given, wavelength=wavelength)


def test_extreme_numbers_on_the_stream_end_as_results_or_as_letters_with_a_reason_of_their_own(
    feed: Feed, networks: Pipeline
) -> None:
    answered = [
        message("spike", spiked(), 1.0, WAVELENGTH),
        message("zero", 0 * FLUX, 1.0, WAVELENGTH),
        message("huge", FLUX * 1e37, 1e-38, WAVELENGTH),
        message("ordinary", FLUX, 1.0, WAVELENGTH),
    ]
    refused = {
        "infrared": (message("infrared", FLUX, 1.0, WAVELENGTH + 8000), "no_good_pixels"),
        "one-pixel-of-the-grid": (
            message("one-pixel-of-the-grid", FLUX, 1.0, np.linspace(5000, 5000.2, N)),
            "no_good_pixels",
        ),
        "endless": (message("endless", FLUX, 1.0, WAVELENGTH * 1e300), "bad_wavelength"),
    }
    # JSON knows numbers that float32 does not: such a pixel is not used.
    beyond = {
        "spectrum_id": "beyond",
        "flux": [1e300, *FLUX[1:].tolist()],
        "ivar": [1.0] * N,
        "wavelength": WAVELENGTH.tolist(),
    }
    feed.publish([*answered, *(spectrum for spectrum, _ in refused.values())])
    feed.publish([(b"beyond", json.dumps(beyond).encode())])
    balance = feed.work(networks)
    assert (balance.published, balance.dead_lettered) == (len(answered) + 1, len(refused))
    results = {found.fields["spectrum_id"]: found.fields for found in feed.read("redshifts")}
    assert set(results) == {"beyond", *(spectrum.spectrum_id for spectrum in answered)}
    assert all(math.isfinite(fields[name]) for fields in results.values() for name in ("z", "zerr", "chi2"))
    assert results["zero"]["zwarn"]
    letters = {found.key.decode(): found.fields for found in feed.read("dead_letters")}
    assert {name: letter["reason"] for name, letter in letters.items()} == {
        name: reason for name, (_, reason) in refused.items()
    }


def test_extreme_numbers_in_files_are_answered_or_refused_in_one_line(
    tmp_path: Path, networks: Pipeline
) -> None:
    from astropy.io import fits

    rows = [f"{w},{f},1.0" for w, f in zip(WAVELENGTH.tolist(), spiked(3e300).tolist(), strict=True)]
    (tmp_path / "spike.csv").write_text("\n".join(["wavelength,flux,ivar", *rows]))
    columns = [
        fits.Column("wavelength", "D", unit="Angstrom", array=WAVELENGTH),
        fits.Column("flux", "E", array=spiked(-3e38)),
        fits.Column("error", "D", array=np.full(N, 1e-200)),
    ]
    (tmp_path / "sure.fits").write_bytes(written(fits.BinTableHDU.from_columns(columns)))
    far = [f"{2000 + i},{1 + 0.1 * (i % 7)}" for i in range(N)]
    (tmp_path / "far.csv").write_text("\n".join(["wavelength [nm],flux", *far]))
    found = {}
    for name in ("spike.csv", "sure.fits", "far.csv"):
        items = read(tmp_path / name, note=lambda _: None)
        (found[name],) = analyze(items, SafeInference(networks, 8), 8, 10_000)
    assert isinstance(found["spike.csv"], Answered)
    assert json.dumps(found["spike.csv"].as_json(), allow_nan=False)
    for name in ("sure.fits", "far.csv"):
        refused = found[name]
        assert isinstance(refused, Unanswered)
        assert "usable pixels" in refused.error or "positive ivar" in refused.error
