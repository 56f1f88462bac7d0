"""A spectrum is what its id and digest say: every answer is shown with the pixels that it was made from."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from spectraq.schemas import codec
from spectraq.schemas.results import Measurement, ModelSpectrum, Provenance, Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cli import show
from spectraq.workers.cli.terminal_plot import drawing
from spectraq.workers.contract.convert import Subject
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.transport.sender import Sender
from spectraq.workers.web.night.entry import name_of
from spectraq.workers.web.night.message_store import Name
from spectraq.workers.web.night.night import Night as Kept
from spectraq.workers.web.sources.best_fits import Modelling
from spectraq.workers.web.sources.finder import Finder
from spectraq.workers.web.sources.lookup import Lookup
from spectraq.workers.web.sources.topics import Following
from tests.support.pagenight import Night, Server, results, until


def spectrum(name: str, n: int, level: float) -> Spectrum:
    noise = np.random.default_rng(n).normal(level, 1, n).astype(np.float32)
    return Spectrum(spectrum_id=name, flux=noise, ivar=np.ones(n, np.float32), loglam0=3.6, dloglam=1e-4)


FIRST, SECOND = spectrum("twice", 300, 5.0), spectrum("twice", 400, 9.0)
VICTIM, STRANGER = spectrum("victim", 500, 5.0), spectrum("stranger", 600, 50.0)
UNNAMED = spectrum("unnamed", 700, 5.0)
GONE = Name("gone", "e" * 64)
ANSWERED = (FIRST, SECOND, VICTIM, STRANGER, UNNAMED)


def name(found: Spectrum) -> Name:
    return Name(found.spectrum_id, found.digest)


def model(of: Spectrum, value: float) -> ModelSpectrum:
    return ModelSpectrum(
        result_id=f"{of.digest}-m",
        spectrum_id=of.spectrum_id,
        provenance=Provenance(spectrum_digest=of.digest, ensemble_digest="GALAXY", ensemble_version="GALAXY"),
        snr=1.0,
        zwarn=0,
        zwarn_names=(),
        spectype="GALAXY",
        subtype="",
        z=value,
        loglam0=3.6,
        dloglam=1e-4,
        flux=np.full(4, value, np.float32),
        sigma=np.ones(4, np.float32),
    )


def measurement(of: Spectrum, value: float) -> Measurement:
    fit = model(of, value)
    same = {
        name: getattr(fit, name) for name in Measurement.model_fields if name in ModelSpectrum.model_fields
    }
    return Measurement(**same | {"result_id": f"{of.digest}-x"})


@pytest.fixture(scope="module")
def mixed(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A topic on which keys lie, an id comes twice, and every spectrum is answered under its own name."""
    night = Night(stack, tmp_path_factory.mktemp("mixed"))
    topics = night.settings().topics
    with Sender(night.settings()) as publisher:
        publisher.publish(FIRST, "twice", topics.spectra)
        publisher.publish(SECOND, "twice", topics.spectra)
        publisher.publish(VICTIM, "victim", topics.spectra)
        publisher.publish(STRANGER, "victim", topics.spectra)  # the key of one, the body of another
        publisher.send(topics.spectra, b"victim", b"no spectrum at all")
        publisher.publish(UNNAMED, "some other key", topics.spectra)
        for value, of in enumerate(ANSWERED, start=1):
            publisher.publish(model(of, value / 10), "victim", topics.models)
            publisher.publish(measurement(of, value / 10), "victim", topics.measurements)
    for of in ANSWERED:
        night.answer(results(of.spectrum_id, digest=of.digest))
    night.answer(results(GONE.spectrum_id, digest=GONE.digest))
    return night


@pytest.fixture(scope="module")
def shown(mixed: Night) -> Iterator[Server]:
    server = Server(mixed.folder, mixed.environment)
    until(lambda: len(json.loads(server.get("/api/results")[2])["rows"]) == len(ANSWERED) + 1, "all answers")
    yield server
    assert server.stop() == 0


def asked(server: Server, of: Name, kind: str = "spectrum", digest: bool = True) -> dict[str, Any]:
    query = f"id={of.spectrum_id}" + (f"&digest={of.digest}" if digest else "")
    status, _, body = server.get(f"/api/{kind}?{query}")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_every_answer_is_shown_with_its_own_pixels_and_its_own_fit(shown: Server) -> None:
    for value, of in enumerate(ANSWERED, start=1):
        found = asked(shown, name(of))
        flux = np.frombuffer(base64.b64decode(found["pixels"]["flux"]), "<f4")
        np.testing.assert_array_equal(flux, of.flux)
        provenance = found["results"]["redshift"]["provenance"]
        assert (found["digest"], provenance["spectrum_digest"]) == (of.digest, of.digest)
        assert asked(shown, name(of), "model")["z"] == pytest.approx(value / 10)
        assert asked(shown, name(of), "measurement")["z"] == pytest.approx(value / 10)
        assert asked(shown, name(of), "small")["flux"]
    assert asked(shown, GONE)["pixels"] is None
    for kind in ("model", "measurement"):
        status, _, said = shown.get(f"/api/{kind}?id={GONE.spectrum_id}")
        assert (status, json.loads(said)["error"]) == (404, "gone: its pixels are no longer kept")


def test_an_id_alone_means_its_latest_answer(shown: Server) -> None:
    assert asked(shown, name(SECOND), digest=False)["digest"] == SECOND.digest
    assert shown.get(f"/api/spectrum?id=twice&digest={'f' * 64}")[0] == 404


def test_pixels_that_are_read_again_are_those_of_the_answer(mixed: Night) -> None:
    settings = mixed.settings()
    lookup = Lookup(settings)
    try:
        # In memory for no moment: read again from where they lie.
        placed = Kept(100, pixel_bytes=1)
        following = Following(settings, placed)
        following.start()
        until(lambda: not placed.trouble, "all read")
        following.stop.set()
        following.join()
        # Never seen: searched for on the topic, where the newest of a key is not theirs.
        unseen = Kept(100)
        for of in ANSWERED:
            for result in results(of.spectrum_id, digest=of.digest):
                unseen.take(result, codec.encode(result), time.time())
        for night in (placed, unseen):
            finder = Finder(night, settings, None, lookup)
            for of in ANSWERED:
                assert night.spectra.body(name(of)) is None
                found = finder.spectrum(name(of))
                assert found is not None, (of.spectrum_id, night is placed)
                assert found.digest == of.digest
            assert finder.spectrum(GONE) is None
    finally:
        lookup.close()


def test_results_of_the_same_id_and_other_pixels_are_not_mixed() -> None:
    night = Kept(100)
    old, new = (results("twice", digest=of.digest) for of in (FIRST, SECOND))
    for result in (old[0], new[0], old[1], new[1], new[2], old[2]):
        night.take(result, codec.encode(result), time.time())
    for of in (FIRST, SECOND):
        entry = night.entry(name(of))
        assert entry is not None and entry.complete
        kept = [codec.decode(body) for body in entry.packed.values()]
        assert {name_of(result) for result in kept if isinstance(result, Result)} == {name(of)}


def test_a_spectrum_is_drawn_on_the_terminal_from_its_own_pixels(mixed: Night) -> None:
    settings = mixed.settings()
    wanted = drawing(VICTIM, Modelling(settings.worker).model(VICTIM))
    assert show._drawn(settings, Subject.of(VICTIM)) == wanted
    gone = Subject(spectrum_id="victim", digest="f" * 64)
    assert "has no such spectrum with these pixels" in show._drawn(settings, gone)


def test_the_page_walks_from_one_to_the_other_and_judges_the_pixels_it_shows(
    page: Page, shown: Server
) -> None:
    page.goto(shown.address)
    rows = page.locator("#results tbody tr[data-id=twice]")
    until(lambda: rows.count() == 2, "both answers")
    links = [str(rows.nth(i).locator("a").get_attribute("href")) for i in range(2)]
    seen = {}
    for link in links:
        page.goto(shown.address.rstrip("/") + link)
        until(lambda: "pixels" in (page.text_content("#meta") or ""), "its pixels")
        seen[link.partition("digest=")[2]] = page.text_content("#meta")
    assert seen == {FIRST.digest: "300 pixels", SECOND.digest: "400 pixels"}
    page.goto(shown.address.rstrip("/") + f"/?id=twice&digest={FIRST.digest}")
    page.fill("#mark [name=author]", "Vera")
    page.click("#mark [type=submit]")
    until(lambda: "Published" in (page.text_content("#mark .said") or ""), "the acknowledgement")
    (said,) = asked(shown, name(FIRST))["verdicts"]
    assert said["spectrum_digest"] == FIRST.digest
    assert asked(shown, name(SECOND))["verdicts"] == []
