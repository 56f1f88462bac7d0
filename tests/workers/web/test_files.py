"""The page of files, without Kafka or Redis."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.pagenight import SPECTRAQ, Server, until

NOWHERE = {
    "SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "SPECTRAQ_REDIS__URL": "redis://127.0.0.1:1/0",
    "SPECTRAQ_WORKER__THREADS": "1",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "mocks.fits"
    subprocess.run([SPECTRAQ, "simulate", "6", "--output", str(path)], check=True, capture_output=True)
    return path


def test_files_are_shown_as_the_stream_is(files: Path, page: Page) -> None:
    server = Server(files.parent, NOWHERE, str(files))
    page.goto(server.address)
    until(lambda: page.locator("#results tbody tr").count() == 6, "all of the file")
    assert not page.is_visible("#lag")
    page.locator("#results a").first.click()
    until(lambda: page.locator("#chi2 canvas").count() == 1, "the fit")
    assert "mocks.fits" in (page.text_content("#meta") or "")
    assert server.stop() == 0


def test_analyze_opens_the_page_of_what_it_printed(files: Path, page: Page) -> None:
    seen = files.parent / "browser.txt"
    browser = files.parent / "browser.sh"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(0o755)
    environment = os.environ | NOWHERE | {"BROWSER": f"{browser} %s"}
    with subprocess.Popen(
        [SPECTRAQ, "analyze", str(files), "--open"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        until(lambda: seen.exists() and seen.read_text().endswith("\n"), "the browser is asked")
        page.goto(seen.read_text().strip())
        until(lambda: page.locator("#results tbody tr").count() == 6, "all of the file")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
    assert out.count("simulated-0-") == 6
