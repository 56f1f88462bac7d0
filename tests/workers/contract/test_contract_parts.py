"""What stands once between messages and numbers: the three results of a spectrum, and its good pixels."""

from __future__ import annotations

import base64
import itertools

import numpy as np
import pytest

from spectraq.models.answer import Extra
from spectraq.schemas import codec
from spectraq.schemas.results import Measurement, Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import messages, observation
from spectraq.workers.contract.gathered_results import RESULT_KINDS, GatheredResults
from spectraq.workers.demonstration.tally import Tally
from spectraq.workers.files.overview import averaged
from spectraq.workers.transport.messages import Record
from spectraq.workers.web.night.spectrum_json import pixels_json
from tests.support.feed import numbered
from tests.support.plumbing import Plumbing

N = 200
BAD = {"nan": 3, "masked": 5, "no weight": 7, "no number as weight": 9, "infinite weight": 11}


def results_of(spectrum: Spectrum) -> dict[str, Result]:
    networks = Plumbing()
    (answer,) = networks.analyze([observation(spectrum, N)])
    made = messages(spectrum, answer, networks)
    return {result.kind: result for result in (made.classification, made.redshift, made.anomaly)}


def measurement_of(spectrum: Spectrum) -> Measurement:
    networks = Plumbing()
    (answer,) = networks.analyze([observation(spectrum, N)], Extra.MEASUREMENT)
    made = messages(spectrum, answer, networks).measurement
    assert made is not None
    return made


@pytest.mark.parametrize("order", list(itertools.permutations(kind.kind for kind in RESULT_KINDS)))
def test_three_results_in_any_order_make_a_spectrum_complete(order: tuple[str, ...]) -> None:
    results = results_of(numbered(1))
    gathered = GatheredResults()
    for kind in order:
        assert not gathered.complete
        gathered.take(results[kind])
        gathered.take(results[kind])
    assert gathered.complete
    assert {kind: getattr(gathered, kind) for kind in order} == results
    assert gathered.measurement is None  # it may be turned off
    gathered.take(measurement_of(numbered(1)))
    assert gathered.measurement == measurement_of(numbered(1))


def test_a_demonstration_waits_for_the_measurement_where_one_is_published() -> None:
    results = [*results_of(numbered(1)).values(), measurement_of(numbered(1))]
    of_three, of_four = Tally(), Tally(measured=True)
    for n, result in enumerate(results, 1):
        record = Record("t", 0, 0, b"key", codec.encode(result), (), 0)
        of_three.add(record)
        of_four.add(record)
        of_four.add(record)
        assert (of_three.answered, of_four.answered) == (int(n >= 3), int(n == 4))
        assert of_four.balanced(1) == (n == 4)
    assert of_four.duplicates == 4
    assert of_four.latest[0].measurement == results[-1]


@pytest.mark.parametrize("with_ivar", [True, False])
def test_the_pixels_that_are_shown_as_good_are_those_that_the_networks_use(with_ivar: bool) -> None:
    flux, ivar, mask = np.ones(N, np.float32), np.ones(N, np.float32), np.zeros(N, np.uint32)
    flux[BAD["nan"]] = np.nan
    mask[BAD["masked"]] = 4
    ivar[BAD["no weight"]], ivar[BAD["no number as weight"]] = 0, np.nan
    ivar[BAD["infinite weight"]] = np.inf
    bad = sorted(BAD.values()) if with_ivar else [BAD["nan"], BAD["masked"]]
    flux[bad] *= 1000
    spectrum = Spectrum(
        spectrum_id="s",
        wavelength=np.linspace(4000, 9000, N),
        flux=flux,
        ivar=ivar if with_ivar else None,
        mask=mask,
    )
    assert np.flatnonzero(~spectrum.good()).tolist() == bad
    assert (observation(spectrum, N).good() == spectrum.good()).all()
    shown = np.frombuffer(base64.b64decode(pixels_json(spectrum)["masked"]), np.uint8)
    assert np.flatnonzero(shown).tolist() == bad
    assert averaged(spectrum, 10)[1].max() == 1


def test_a_spectrum_without_a_good_pixel_is_drawn_all_the_same() -> None:
    spectrum = numbered(1).model_copy(update={"ivar": np.zeros(numbered(1).n_pixels, np.float32)})
    assert averaged(spectrum, 10)[1].size == 10
