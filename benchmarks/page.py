"""How quick the page is in a real browser: first picture, pointer, updates, and frames of the screen.

    python benchmarks/page.py [--quick] [--rate 500]

Prints the figures of one run on real Kafka and Chromium; `--quick` watches for 10 s, not for 60 s.
`benchmarks/viewers.py` measures what many viewers cost.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from spectraq.schemas import codec
from spectraq.schemas.results import Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.sender import Sender
from spectraq.workers.web.sources.best_fits import Modelling

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)
PIXELS = 8000
NAME = b"fast-00000000"
WATCH = """() => {
  window.gaps = []; window.ids = []; window.long = [];
  let last = performance.now();
  const tick = (now) => { gaps.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  performance.clearMeasures();
  new PerformanceObserver((list) => long.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: "longtask" });
  if (location.protocol.startsWith("http"))
    new EventSource("/api/stream").addEventListener("frame", (event) => ids.push(Number(event.lastEventId)));
}"""


def long_spectrum() -> Spectrum:
    """A simulated spectrum on 8000 pixels."""
    spectrum, _ = next(simulated.spectra(1, 5))
    old = spectrum.vacuum_wavelength()
    new = np.linspace(old[0], old[-1], PIXELS)
    assert spectrum.ivar is not None
    flux = np.interp(new, old, spectrum.flux) + np.random.default_rng(1).normal(0, 0.05, PIXELS)
    ivar = np.interp(new, old, spectrum.ivar).astype(np.float32)
    return Spectrum(spectrum_id="long", wavelength=new, flux=flux.astype(np.float32), ivar=ivar)


class Answers(threading.Thread):
    """Publishes results at a rate, as a large group of workers would.

    They are made beforehand and get their names by replacement, so that this takes little of the machine.
    """

    def __init__(self, settings: Settings, rate: float) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.sent = 0
        modelling = Modelling(settings.worker)
        found = [modelling.results(spectrum) for spectrum, _ in simulated.spectra(20, 2)]
        self._settings, self._rate = settings, rate
        self._made = [[_encoded(r) for r in (o.classification, o.redshift, o.anomaly)] for o in found]

    def run(self) -> None:
        """Publish."""
        topics = self._settings.topics
        names = (topics.classifications, topics.redshifts, topics.anomalies)
        with Sender(self._settings, len(names) * self._rate) as publisher:
            while not self.stop.is_set():
                name = b"fast-%08d" % self.sent
                for topic, body in zip(names, self._made[self.sent % len(self._made)], strict=True):
                    publisher.send(topic, name, body.replace(NAME, name))
                self.sent += 1


def _encoded(result: Result) -> bytes:
    name = NAME.decode()
    changes = {"spectrum_id": name, "result_id": f"{name}-{result.kind}"}
    return codec.encode(type(result).model_construct(**(result.__dict__ | changes)))


@contextmanager
def served(environment: dict[str, str], *more: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run the page; gives its address and process."""
    command = [SPECTRAQ, "web", "--port", "0", *more]
    environment = os.environ | environment | {"SPECTRAQ_LOG__LEVEL": "error"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), psutil.Process(process.pid)
        process.send_signal(signal.SIGTERM)


def measured(page: Page, name: str) -> list[float]:
    """What the page measured of itself, in ms."""
    return list(page.evaluate("name => performance.getEntriesByName(name).map(m => m.duration)", name))


def spectrum_view(page: Page, address: str) -> None:
    """First picture of 8000 pixels, and the answer to the pointer."""
    drawn = []
    for _ in range(10):
        page.goto(f"{address}?id=long")
        page.wait_for_selector("#chi2 canvas")
        page.wait_for_timeout(300)
        drawn += measured(page, "spectrum-drawn")
    say(f"first picture of {PIXELS} pixels", drawn)
    over = page.locator("#flux .u-over").bounding_box()
    assert over is not None
    y = over["y"] + 200
    for x in range(int(over["x"]) + 100, int(over["x"]) + 900):
        page.mouse.move(x, y)
        if "grab" in (page.get_attribute("#flux .u-over", "class") or ""):
            break
    page.mouse.down()
    for step in range(60):
        page.mouse.move(x + 2 * step, y)
        page.wait_for_timeout(30)
    page.mouse.up()
    say("answer to the pointer that drags a line", measured(page, "pointer-answered"))


def watched(page: Page, seconds: float) -> list[float]:
    """Times between frames of the screen, of a page that is looked at for a while."""
    page.evaluate(WATCH)
    page.wait_for_timeout(int(seconds * 1000))
    return list(page.evaluate("gaps.slice(1)"))


def stream_view(page: Page, address: str, seconds: float, answers: Answers) -> None:
    """Updates of the stream view and frames of the screen while results pour in, beside an empty page's."""
    page.goto("about:blank")
    empty = watched(page, seconds)
    page.goto(address)
    page.wait_for_selector("#results tbody tr")
    before = answers.sent
    gaps = watched(page, seconds)
    shown, ids = measured(page, "frame-shown"), page.evaluate("ids")
    print(f"results a second published: {(answers.sent - before) / seconds:.0f}")
    print(f"updates of the page a second: {len(shown) / seconds:.2f}")
    print(f"updates that were sent and not received: {ids[-1] - ids[0] + 1 - len(ids)} of {len(ids)}")
    say("drawing an update", shown)
    print(f"tasks of the page longer than 50 ms: {len(page.evaluate('long'))}")
    for name, found in (("the stream view", gaps), ("an empty page", empty)):
        say(f"between two frames of the screen, {name}", found)
        print(f"later than 50 ms, {name}: {sum(gap > 50 for gap in found)} of {len(found)}")


def say(what: str, values: list[float]) -> None:
    """Print median, 95th percentile and maximum of times in ms."""
    ordered: list[Any] = sorted(values)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    middle = statistics.median(ordered)
    print(f"{what}: median {middle:.1f} ms, p95 {high:.1f}, longest {ordered[-1]:.1f} of {len(ordered)}")


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rate", type=float, default=500.0)
    options = parser.parse_args()
    seconds = 10.0 if options.quick else 60.0
    with LocalStack(load_settings().local.data) as stack, sync_playwright() as playwright:
        address = {"bootstrap_servers": stack.bootstrap_servers}
        settings = load_settings(kafka=address, redis={"url": stack.redis_url})
        spectrum = long_spectrum()
        results = Modelling(settings.worker).results(spectrum)
        topics = settings.topics
        with Sender(settings) as publisher:
            publisher.publish(spectrum, "long", topics.spectra)
            for topic, result in (
                (topics.classifications, results.classification),
                (topics.redshifts, results.redshift),
                (topics.anomalies, results.anomaly),
            ):
                publisher.publish(result, "long", topic)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1500, "height": 960})
        with served(stack.environment()) as (url, _):
            spectrum_view(page, url)
            answers = Answers(settings, options.rate)
            answers.start()
            stream_view(page, url, seconds, answers)
            answers.stop.set()
            answers.join()
        browser.close()


if __name__ == "__main__":
    main()
