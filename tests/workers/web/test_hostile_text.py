"""Messages of a stranger who may write to every topic: nothing of them is executed, and nothing breaks."""

from __future__ import annotations

import math
import time
import urllib.parse
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from spectraq.schemas.results import Chi2Curve, MeasuredLine, Measurement, ModelSpectrum, Provenance, Quantity
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.verdict import Verdict
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.transport.sender import Sender
from tests.support.pagenight import HOSTILE, Night, Server, results, until

TEXTS = (
    HOSTILE,
    '"><svg onload=window.hacked=1>',
    "</script><script>window.hacked=1</script>",
    "javascript:window.hacked=1",
    "{{constructor.constructor('window.hacked=1')()}}",
    "__proto__",
    "constructor",
    "../../api/frame?id=x&id=y#z",
    "%3Cimg src=x onerror=window.hacked=1%3E",
    "' OR 1=1 --",
    "\U0001d54a" * 90,
)
NUMBERS = (math.nan, math.inf, -math.inf, 1e308, -1e308, 1e-320)
FLUXES = ([math.nan] * 50, [math.inf, 1.0, -math.inf], [3e38] * 9, [0.0], list(range(30)))


def spectrum(number: int, text: str) -> Spectrum:
    flux = np.array(FLUXES[number % len(FLUXES)], np.float32)  # also of one pixel
    return Spectrum(
        spectrum_id=text,
        flux=flux,
        ivar=np.full(flux.size, [0.0, math.nan, math.inf, 1.0][number % 4], np.float32),
        wavelength=np.linspace(1e-3, [1e8, 9e3][number % 2], flux.size + 1)[1:],
        survey=text,
        target_id=text,
        flux_unit=text,
        source_file=text,
    )


def model(number: int, text: str, digest: str) -> ModelSpectrum:
    value = NUMBERS[number % len(NUMBERS)]
    none = np.zeros(0, np.float32)
    return ModelSpectrum(
        result_id=f"{text}-m",
        spectrum_id=text,
        provenance=Provenance(spectrum_digest=digest, ensemble_digest="", ensemble_version=""),
        snr=value,
        zwarn=0,
        zwarn_names=(),
        spectype=text,
        subtype=text,
        z=value,
        loglam0=value,
        dloglam=1e-4,
        flux=np.array([1, math.nan, math.inf], np.float32),
        sigma=none,
        curves=(
            Chi2Curve(
                spectype=text, z=np.array([0, 1, 2], np.float32), chi2=np.array([math.nan], np.float32)
            ),
            Chi2Curve(spectype="QSO", z=none, chi2=none),
        ),
    )


def measurement(number: int, text: str, digest: str) -> Measurement:
    value = NUMBERS[number % len(NUMBERS)]
    numbers = {"flux": value, "flux_error": value, "ew": value, "ew_error": 1e-320, "sigma": value}
    return Measurement(
        result_id=f"{text}-x",
        spectrum_id=text,
        provenance=Provenance(spectrum_digest=digest, ensemble_digest="", ensemble_version=""),
        snr=value,
        zwarn=0,
        zwarn_names=(),
        spectype=text,
        subtype=text,
        z=value,
        flux_unit=text,
        lines=(
            MeasuredLine(name=text, component=text, wavelength=value, upper_limit=1e-320, reason=text),
            MeasuredLine(name="Halpha", component=text, wavelength=value, **numbers),
            MeasuredLine(name=text, component=text, wavelength=value, reason=text),
        ),
        quantities=(
            Quantity(name=text, value=1.0, error=value, unit=text),
            Quantity(name=text, value=value, error=1.0, reason=text),
            Quantity(name=f"p_{text}", value=value),
        ),
        bpt=text,
    )


def verdict(text: str) -> Verdict:
    return Verdict(
        verdict_id=str(uuid.uuid4()),
        spectrum_id=text,
        spectrum_digest="",
        spectype="STAR",
        z=0.5,
        quality=4,
        comment=text,
        author=text[:100],
        time_ms=1 << 60,
        machine_spectype=text,
        machine_z=math.nan,
        ensemble_digest=text,
    )


@pytest.fixture(scope="module")
def attacked(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Night, Server]]:
    """A night of nothing else, and its page."""
    night = Night(stack, tmp_path_factory.mktemp("attacked"))
    topics = night.settings().topics
    with Sender(night.settings()) as publisher:
        for number, text in enumerate(TEXTS):
            sent = spectrum(number, text)
            publisher.publish(sent, text, topics.spectra)
            if number % 3:
                publisher.publish(model(number, text, sent.digest), text, topics.models)
                publisher.publish(measurement(number, text, sent.digest), text, topics.measurements)
            publisher.publish(verdict(text), text, topics.verdicts)
        for name in (getattr(topics, kind) for kind in type(topics).model_fields if kind.endswith("s")):
            if isinstance(name, str) and name:
                for body in (b"", b"{", b"\x00\x00\x00\x00\x65", b"\x00\xff" * 40, b"[" * 50_000):
                    publisher.send(name, HOSTILE.encode(), body)
    for number, text in enumerate(TEXTS):
        digest = spectrum(number, text).digest
        night.answer(results(text, text, NUMBERS[number % len(NUMBERS)], flagged=True, digest=digest))
    server = Server(night.folder, night.environment)
    yield night, server
    assert server.stop() == 0


def unharmed(page: Page) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, object, embed, style, svg[onload], [onerror], [onload]").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("a[href^='javascript']").count() == 0


def test_the_stream_view_shows_hostile_texts_as_texts(page: Page, attacked: tuple[Night, Server]) -> None:
    page.goto(attacked[1].address)
    until(lambda: page.locator("#results tbody tr").count() == len(TEXTS), "all rows")
    shown = page.eval_on_selector_all("#results a", "links => links.map(link => link.textContent)")
    assert sorted(shown) == sorted(TEXTS)
    assert page.locator(".card").count() == len(TEXTS)
    page.fill("#filters [name=text]", HOSTILE)
    until(lambda: page.locator("#results tbody tr").count() == 1, "the filter")
    unharmed(page)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_spectrum_view_shows_them_as_texts(page: Page, attacked: tuple[Night, Server], text: str) -> None:
    page.goto(f"{attacked[1].address}?id={urllib.parse.quote(text, safe='')}")
    until(lambda: page.text_content("#sid") == text, "its name")
    until(lambda: page.locator("#mark li").count() == 1, "the verdict")
    for key in "dltsSmern":
        page.keyboard.press(key)
    page.goto(f"{attacked[1].address}?id={urllib.parse.quote(text, safe='')}")
    until(lambda: page.locator("#best tbody tr").count() == 1, "its candidate")
    assert text in (page.text_content("#odd") or "")
    assert text in (page.text_content("#mark li") or "")
    if TEXTS.index(text) % 3:
        until(lambda: text in (page.text_content("#quantities") or ""), "what is measured")
        assert text in (page.text_content("#lines") or "")
    else:
        until(lambda: text in (page.text_content("#measured-state") or ""), "why nothing is measured")
    for kind in ("json", "csv", "png"):
        page.click(f"[data-do={kind}]")
    page.wait_for_timeout(200)
    unharmed(page)


def test_the_page_goes_on_after_them(page: Page, attacked: tuple[Night, Server]) -> None:
    night, server = attacked
    page.goto(server.address)
    until(lambda: page.locator("#results tbody tr").count() >= len(TEXTS), "all rows")
    night.answer(results("an ordinary one"))
    until(lambda: page.locator("#results a", has_text="an ordinary one").count() == 1, "the next result")
    assert page.text_content("#connection") == "live"


def test_results_too_large_or_never_complete_do_not_fill_the_memory(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from spectraq.workers.web.night.night import Night as Kept
    from spectraq.workers.web.sources.topics import RESULT_BYTES

    kept = Kept(100)
    for number in range(1000):
        kept.take(results(f"half-{number}")[0], b"body", time.time())
    assert kept.as_json()["kept"] <= 200
    night = Night(stack, tmp_path_factory.mktemp("large"))
    night.answer(results("large", "x" * RESULT_BYTES))
    night.answer(results("small"))
    server = Server(night.folder, night.environment)
    until(lambda: b'"small"' in server.get("/api/results")[2], "the small one")
    assert b'"large"' not in server.get("/api/results")[2]
    assert server.stop() == 0
