"""Who may look, what a browser may do, and what is refused."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.pagenight import HOSTILE, Night, Server, fetch, until


@pytest.fixture
def guarded(night: Night) -> Iterator[Server]:
    """A page for everybody who has the token."""
    running = Server(night.folder, night.environment, "--host", "0.0.0.0")
    yield running
    running.stop()


def test_only_requests_to_this_machine_s_own_names_are_answered(server: Server) -> None:
    assert server.get("/api/frame")[0] == 200
    assert server.get("/api/frame", Host="evil.example:80")[0] == 421
    assert server.address.startswith("http://127.0.0.1:")


def test_every_answer_forbids_scripts_and_sources_of_others(server: Server) -> None:
    for path in ("/", "/static/page.js", "/api/frame", "/nowhere"):
        headers = {name.lower(): value for name, value in server.get(path)[1].items()}
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_elsewhere_a_token_is_demanded_and_kept_in_a_cookie(guarded: Server, browser: Browser) -> None:
    assert guarded.get("/")[0] == 401
    assert guarded.get("/api/frame?token=wrong")[0] == 401
    token = urllib.parse.parse_qs(urllib.parse.urlparse(guarded.address).query)["token"][0]
    assert guarded.get("/api/frame", Authorization=f"Bearer {token}")[0] == 200
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{guarded.port}/?token={token}")
    assert "token" not in page.url
    assert page.title() == "spectraq"
    (cookie,) = context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    context.close()


def test_the_browser_is_opened_without_the_token_on_its_command_line(
    night: Night, browser: Browser, tmp_path: Path
) -> None:
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\ncd {tmp_path}; tr "\\0" "\\n" < /proc/$$/cmdline > part; mv part seen\n')
    program.chmod(0o700)
    token = "t0ken-s3cret"
    environment = night.environment | {"SPECTRAQ_WEB__TOKEN": token, "BROWSER": f"{program} %s"}
    running = Server(night.folder, environment, "--open")
    try:
        until(lambda: (tmp_path / "seen").exists(), "the browser")
        command_line = (tmp_path / "seen").read_text().split("\n")
        assert not any(token in word for word in command_line)
        (address,) = (word for word in command_line if word.startswith("file://"))
        file = Path(urllib.parse.urlparse(address).path)
        assert file.stat().st_mode & 0o777 == 0o600
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        page.wait_for_url(f"http://127.0.0.1:{running.port}/")
        assert page.title() == "spectraq"
        context.close()
    finally:
        running.stop()
    assert not file.exists()


def test_another_site_and_large_bodies_may_not_write(server: Server) -> None:
    assert server.post("/api/verdicts", b"{}", Origin="http://evil.example")[0] == 403
    assert server.post("/api/verdicts", b" " * 20_000)[0] == 413
    request = urllib.request.Request(f"{server.address}api/verdicts", data=b"{}", method="POST")
    request.add_header("Content-Type", "text/plain")
    assert fetch(request)[0] == 415


def test_no_path_leads_out_of_the_folder_of_the_page(server: Server) -> None:
    for path in ("/static/../serve.py", "/static/%2e%2e/serve.py", "/static//etc/passwd"):
        assert server.get(path)[0] == 404


def test_the_page_asks_no_other_address(server: Server, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.address}?id={urllib.parse.quote(HOSTILE)}")
    page.wait_for_selector("#flux canvas")
    context.close()
    assert asked
    assert all(url.startswith((server.address, "blob:", "data:")) for url in asked), asked


def test_nothing_of_the_page_parses_text_as_markup() -> None:
    static = Path(__file__).parents[3] / "workers" / "web" / "static"
    for file in static.glob("*.js"):
        text = file.read_text()
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "document.write",
            "http://",
            "https://",
        ):
            assert word not in text, f"{file.name}: {word}"
