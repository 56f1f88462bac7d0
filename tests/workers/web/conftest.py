"""A browser, a night on the real stack, and the page of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from spectraq.workers.local.stack import LocalStack
from tests.support.pagenight import ANSWERED, RUNNING, Night, Server, placed_spectra, until

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEWPORT = {"width": 1500, "height": 960}
# What a canvas says is no text of the page: it is noted as it is written.
WRITTEN = """window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
  written.push(String(text));
  return write.call(this, text, ...place);
};"""


@pytest.fixture(autouse=True, scope="session")
def _nothing_left() -> Iterator[None]:
    """End the servers of tests that failed."""
    yield
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        message = "no Chromium on this machine; apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def night(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Forty spectra, noise and a hostile one, answered by a real worker, and two messages that are none."""
    made = Night(stack, tmp_path_factory.mktemp("night"))
    made.publish(placed_spectra(), (b"no spectrum at all", b"{"))
    made.work()
    return made


@pytest.fixture(scope="session")
def server(night: Night) -> Iterator[Server]:
    """The page of the night."""
    running = Server(night.folder, night.environment)
    yield running
    running.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new window; errors of the page are the test's."""
    context = browser.new_context(viewport=VIEWPORT, accept_downloads=True)
    context.add_init_script(WRITTEN)
    window = context.new_page()
    errors: list[str] = []
    window.on("pageerror", lambda error: errors.append(str(error)))
    window.on("console", lambda message: _note(message.type, message.text, errors))
    yield window
    context.close()
    assert not errors, errors


def _note(kind: str, text: str, errors: list[str]) -> None:
    """The browser itself says on the console that a server is gone; that is no error of the page."""
    if kind == "error" and "Failed to load resource" not in text and "ERR_" not in text:
        errors.append(text)


@pytest.fixture
def opened(page: Page, server: Server) -> Page:
    """The stream view with the night in it."""
    page.goto(server.address)
    until(lambda: f"{ANSWERED} answered" in (page.text_content("#listed") or ""), "all results")
    return page
