"""The real networks in the worker: what comes out of the stream is what they answer, to the last bit."""

from __future__ import annotations

import dataclasses

import pytest

from spectraq.models.answer import NOTHING_EXTRA, Extra
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate
from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import messages, observation
from spectraq.workers.settings import WorkerSettings
from tests.support.feed import Feed
from tests.support.foreign import KINDS

SPECTRA = 12
MEASURED = {"publish_measurements": True}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline.load()


@pytest.fixture(scope="module")
def spectra() -> list[Spectrum]:
    return [
        Spectrum(
            spectrum_id=f"simulated-{i}",
            flux=made.observation.flux,
            ivar=made.observation.ivar,
            wavelength=made.observation.wavelength,
            flux_unit="1e-17 erg/s/cm2/AA",
            ra=10.0 + i,
            dec=-5.0,
        )
        for i, made in enumerate(simulate(SPECTRA, seed=3))
    ]


def plain(message: object) -> object:
    """A message as a foreign reader sees it."""
    import io

    import fastavro

    from tests.support.foreign import schemas

    body = codec.encode(message)
    return fastavro.schemaless_reader(io.BytesIO(body[5:]), schemas()[int.from_bytes(body[1:5], "big")], None)


def test_the_stream_and_then_the_cache_give_what_the_networks_answer_to_the_last_bit(
    feed: Feed, pipeline: Pipeline, spectra: list[Spectrum]
) -> None:
    answers = pipeline.analyze([observation(spectrum, 10**6) for spectrum in spectra], Extra.MEASUREMENT)
    wanted = [messages(spectrum, answer, pipeline) for spectrum, answer in zip(spectra, answers, strict=True)]
    feed.publish(spectra)
    first = feed.work(pipeline, batch_spectra=5, **MEASURED)
    feed.publish(spectra)
    second = feed.work(pipeline, **MEASURED)
    assert (first.published, second.published, second.cached) == (SPECTRA, SPECTRA, SPECTRA)
    fields = ("classification", "redshift", "anomaly", "measurement")
    for kind, field in zip((*KINDS, "measurements"), fields, strict=True):
        right = {result.redshift.spectrum_id: plain(getattr(result, field)) for result in wanted}
        found = feed.read(kind)
        assert len(found) == 2 * SPECTRA
        assert all(message.fields == right[message.fields["spectrum_id"]] for message in found)


def test_a_worker_measures_unless_told_otherwise_and_an_answer_without_is_none_to_it(
    feed: Feed, pipeline: Pipeline, spectra: list[Spectrum]
) -> None:
    assert WorkerSettings().publish_measurements
    brighter = [s.model_copy(update={"flux": 2 * s.flux, "ivar": s.ivar / 4}) for s in spectra[:4]]
    cached = []
    for measured in (False, True, True, False):
        feed.publish(brighter)
        cached.append(feed.work(pipeline, publish_measurements=measured).cached)
    assert cached == [0, 0, 4, 4]
    found = feed.read("measurements")
    assert len(found) == 8
    assert len({(m.fields["result_id"], m.value) for m in found}) == 4
    assert feed.count("redshifts") == 16


def test_models_and_measurements_are_published_when_asked_for_also_where_the_answer_is_cached(
    feed: Feed, pipeline: Pipeline, spectra: list[Spectrum]
) -> None:
    feed.publish(spectra[:4])
    feed.work(pipeline)
    feed.publish(spectra[:4])
    feed.work(pipeline, publish_models=True, publish_measurements=True)
    models, measurements = feed.read("models"), feed.read("measurements")
    assert {m.fields["spectrum_id"] for m in measurements} == {m.fields["spectrum_id"] for m in models}
    assert {m.fields["spectype"] for m in measurements} <= {"GALAXY", "QSO", "STAR"}
    assert all(m.record.endswith("Measurement") and m.fields["quantities"] for m in measurements)
    assert {m.fields["spectrum_id"] for m in models} == {s.spectrum_id for s in spectra[:4]}
    redshifts = {m.fields["spectrum_id"]: m.fields["z"] for m in feed.read("redshifts")}
    for model in models:
        assert model.record.endswith("ModelSpectrum")
        assert model.fields["z"] == redshifts[model.fields["spectrum_id"]]
        assert len(model.fields["flux"]) == len(model.fields["sigma"]) > 1000


def test_a_mask_hides_pixels_with_and_without_ivar(spectra: list[Spectrum]) -> None:
    import numpy as np

    spectrum = spectra[0]
    mask = np.zeros(spectrum.n_pixels, np.uint32)
    mask[100:200] = 4
    masked = observation(spectrum.model_copy(update={"mask": mask}), 10**6)
    assert not masked.good()[100:200].any()
    bare = observation(spectrum.model_copy(update={"mask": mask, "ivar": None}), 10**6)
    assert not bare.good()[100:200].any()
    assert bare.good()[:100].any()


def test_air_wavelengths_become_vacuum(spectra: list[Spectrum]) -> None:
    spectrum = spectra[0]
    in_air = observation(spectrum.model_copy(update={"medium": "air"}), 10**6)
    shift = in_air.wavelength / observation(spectrum, 10**6).wavelength - 1
    assert (shift > 2.5e-4).all()
    assert (shift < 3.1e-4).all()


def test_an_answer_without_a_finite_number_is_no_answer(pipeline: Pipeline, spectra: list[Spectrum]) -> None:
    from spectraq.workers.inference import Failure, SafeInference

    class Blind:
        digest, version = pipeline.digest, pipeline.version

        def analyze(self, observations, extra: Extra = NOTHING_EXTRA):
            answers = pipeline.analyze(observations, extra)
            return [dataclasses.replace(answer, z=float("nan")) for answer in answers]

    (found,) = SafeInference(Blind(), 64).answers([observation(spectra[0], 10**6)])
    assert isinstance(found, Failure)
