"""Makes the pictures of the page in docs/: both views, light, dark and on a phone, of simulated spectra.

    python benchmarks/screenshots.py [--folder docs]

Kafka, Redis, the worker, the page and the browser are real.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import ensure_topics

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
STREAM_SIZE = {"width": 1440, "height": 1180}
SPECTRUM_SIZE = {"width": 1440, "height": 960}
PHONE_SIZE = {"width": 390, "height": 844}
SPECTRA = 4000
RATE = 16.0
SEED = 9
WATCHED_S = 75


def placed(n: int) -> list[Spectrum]:
    """Simulated spectra on a patch of the sky."""
    return [
        spectrum.model_copy(update={"ra": 150.0 + (i % 40) / 60, "dec": 2.0 + (i // 40) / 60})
        for i, (spectrum, _) in enumerate(simulated.spectra(n, SEED))
    ]


def feed(settings: Settings, spectra: list[Spectrum], over: threading.Event) -> None:
    """Publish at a rate until told to stop."""
    with Sender(settings) as publisher:
        for spectrum in spectra:
            publisher.publish(spectrum, spectrum.spectrum_id, settings.topics.spectra)
            publisher.flush()
            if over.wait(1 / RATE):
                return


def started(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start one of spectraq's commands."""
    return subprocess.Popen([SPECTRAQ, *arguments], env=environment, stdout=subprocess.PIPE, text=True)


def telling(address: str) -> str:
    """Give a spectrum that shows much: of a galaxy, with something odd at one place."""
    with urllib.request.urlopen(f"{address}api/results?flagged=true&limit=200") as answer:
        rows: list[dict[str, Any]] = json.load(answer)["rows"]
    rows.sort(
        key=lambda row: (
            row["reason"].startswith("An emission line"),
            row["spectype"] == "GALAXY",
            row["snr"],
        )
    )
    return str(rows[-1]["spectrum_id"])


def pictures(page: Page, address: str, folder: Path, scheme: str, name: str) -> None:
    """Both views."""
    page.set_viewport_size(STREAM_SIZE)
    page.goto(address)
    page.wait_for_selector("#cards .card canvas")
    page.wait_for_timeout(4000)
    page.screenshot(path=folder / f"page-stream-{scheme}.png")
    page.set_viewport_size(SPECTRUM_SIZE)
    page.goto(f"{address}?id={name}")
    page.wait_for_selector("#chi2 canvas")
    page.wait_for_selector("#measured")
    page.wait_for_timeout(2500)
    page.screenshot(path=folder / f"page-spectrum-{scheme}.png", full_page=True)


def phone(browser: Browser, address: str, folder: Path, name: str) -> None:
    """Both views on a phone."""
    context = browser.new_context(viewport=PHONE_SIZE, color_scheme="light", has_touch=True, is_mobile=True)
    page = context.new_page()
    for view, query, shown in (
        ("stream", "", "#cards .card canvas"),
        ("spectrum", f"?id={name}", "#chi2 canvas"),
    ):
        page.goto(address + query)
        page.wait_for_selector(shown)
        page.wait_for_timeout(2500)
        page.screenshot(path=folder / f"page-phone-{view}.png")
    context.close()


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parents[1] / "docs")
    folder = parser.parse_args().folder
    spectra, over = placed(SPECTRA), threading.Event()
    with LocalStack(load_settings().local.data) as stack, sync_playwright() as playwright:
        environment = {**os.environ, **stack.environment(), "SPECTRAQ_LOG__LEVEL": "error"}
        settings = load_settings(
            kafka={"bootstrap_servers": stack.bootstrap_servers}, redis={"url": stack.redis_url}
        )
        ensure_topics(settings)
        worker = started("worker", environment=environment)
        web = started("web", "--port", "0", environment=environment)
        assert web.stdout is not None
        address = web.stdout.readline().strip()
        feeding = threading.Thread(target=feed, args=(settings, spectra, over))
        feeding.start()
        time.sleep(WATCHED_S)
        name = telling(address)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)
            pictures(page, address, folder, scheme, name)
            page.close()
        phone(browser, address, folder, name)
        browser.close()
        over.set()
        feeding.join()
        for process in (worker, web):
            process.send_signal(signal.SIGTERM)
            process.communicate()


if __name__ == "__main__":
    main()
