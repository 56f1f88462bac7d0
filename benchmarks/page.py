"""How quick the page is: first picture, pointer and frames in a real browser; and what many viewers cost.

    python benchmarks/page.py [--quick] [--rate 500]

Prints the figures of one run on real Kafka and Chromium; `--quick` watches for 20 s, not for 300.
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
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from schemas import codec
from schemas.results import Result
from schemas.spectrum import Spectrum
from workers import simulated
from workers.local.stack import LocalStack
from workers.settings import Settings, load_settings
from workers.transport.publisher import Publisher
from workers.web.modelling import Modelling

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)
PIXELS = 8000


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
    """Publishes results at a rate, as a large group of workers would."""

    def __init__(self, settings: Settings, rate: float) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.sent = 0
        modelling = Modelling(settings.worker)
        found = [modelling.results(spectrum) for spectrum, _ in simulated.spectra(20, 2)]
        self._settings, self._rate = settings, rate
        self._made = [(one.classification, one.redshift, one.anomaly) for one in found]

    def run(self) -> None:
        """Publish."""
        topics = self._settings.topics
        names = (topics.classifications, topics.redshifts, topics.anomalies)
        with Publisher(self._settings, len(names) * self._rate) as publisher:
            while not self.stop.is_set():
                results = self._made[self.sent % len(self._made)]
                name = f"fast-{self.sent}"
                for topic, result in zip(names, results, strict=True):
                    publisher.send(topic, name.encode(), codec.encode(_renamed(result, name)))
                self.sent += 1


def _renamed(result: Result, name: str) -> Result:
    changes = {"spectrum_id": name, "result_id": f"{name}-{result.kind}"}
    return type(result).model_construct(**(result.__dict__ | changes))


@contextmanager
def served(environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """Run the page; gives its address and process."""
    command = [SPECTRAQ, "web", "--port", "0"]
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


def stream_view(page: Page, address: str, seconds: float, answers: Answers) -> None:
    """Frames of the stream view and of the screen while results pour in."""
    page.goto(address)
    page.wait_for_selector("#results tbody tr")
    page.evaluate(
        """() => { window.gaps = []; let last = performance.now();
             const tick = (now) => { gaps.push(now - last); last = now; requestAnimationFrame(tick); };
             requestAnimationFrame(tick); performance.clearMeasures(); }"""
    )
    before = answers.sent
    page.wait_for_timeout(int(seconds * 1000))
    shown = measured(page, "frame-shown")
    gaps = page.evaluate("gaps.slice(1)")
    print(f"results a second published: {(answers.sent - before) / seconds:.0f}")
    print(f"updates of the page a second: {len(shown) / seconds:.2f}")
    say("drawing an update", shown)
    say("between two frames of the screen", gaps)
    print(f"frames of the screen later than 50 ms: {sum(gap > 50 for gap in gaps)} of {len(gaps)}")


class Viewer(threading.Thread):
    """Reads the stream of frames as a browser does, and counts."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = address
        self.frames = 0
        self.stop = threading.Event()

    def run(self) -> None:
        """Read."""
        with urllib.request.urlopen(f"{self._address}api/stream") as stream:
            for line in stream:
                self.frames += line.startswith(b"id:")
                if self.stop.is_set():
                    return


def many_viewers(address: str, process: psutil.Process, seconds: float, n: int = 50) -> None:
    """Memory, share of a core and frames with one viewer and with many."""
    for count in (1, n):
        viewers = [Viewer(address) for _ in range(count)]
        for viewer in viewers:
            viewer.start()
        time.sleep(3)
        memory, busy = [process.memory_info().rss / 2**20], sum(process.cpu_times()[:2])
        start, frames = time.monotonic(), [viewer.frames for viewer in viewers]
        while time.monotonic() - start < seconds:
            time.sleep(1)
            memory.append(process.memory_info().rss / 2**20)
        spent = time.monotonic() - start
        got = [(v.frames - before) / spent for v, before in zip(viewers, frames, strict=True)]
        core = (sum(process.cpu_times()[:2]) - busy) / spent
        print(
            f"{count} viewers for {spent:.0f} s: {min(got):.2f} to {max(got):.2f} frames a second each, "
            f"{core:.2f} of a core, memory {memory[0]:.0f} MiB at first and {memory[-1]:.0f} MiB at the end"
        )
        for viewer in viewers:
            viewer.stop.set()


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
    seconds = 20.0 if options.quick else 300.0
    with LocalStack(load_settings().local.data) as stack, sync_playwright() as playwright:
        address = {"bootstrap_servers": stack.bootstrap_servers}
        settings = load_settings(kafka=address, redis={"url": stack.redis_url})
        spectrum = long_spectrum()
        results = Modelling(settings.worker).results(spectrum)
        topics = settings.topics
        with Publisher(settings) as publisher:
            publisher.publish(spectrum, "long", topics.spectra)
            for topic, result in (
                (topics.classifications, results.classification),
                (topics.redshifts, results.redshift),
                (topics.anomalies, results.anomaly),
            ):
                publisher.publish(result, "long", topic)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1500, "height": 960})
        with served(stack.environment()) as (url, process):
            spectrum_view(page, url)
            answers = Answers(settings, options.rate)
            answers.start()
            stream_view(page, url, min(seconds, 30), answers)
            page.close()
            many_viewers(url, process, seconds)
            answers.stop.set()
        browser.close()


if __name__ == "__main__":
    main()
