"""The server ends in the middle: the page comes back by itself, and names what it can't show."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import Page

from spectraq.workers.local.stack import LocalStack
from tests.support.pagenight import Night, Server, results, until

KEEP = 100


@pytest.fixture
def quiet(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night with a few results."""
    night = Night(stack, tmp_path_factory.mktemp("quiet"))
    answer(night, range(10))
    return night


def answer(night: Night, numbers: range) -> None:
    night.answer([one for number in numbers for one in results(f"number-{number:04}")])


def watched(page: Page, n: int) -> None:
    until(lambda: f"{n} answered" in (page.text_content("#listed") or ""), f"{n} results")
    until(lambda: page.text_content("#connection") == "live", "all read")


def test_what_came_while_the_server_was_gone_is_read_and_said(page: Page, quiet: Night) -> None:
    server = Server(quiet.folder, quiet.environment)
    page.goto(server.address)
    watched(page, 10)
    server.stop(signal.SIGKILL)
    until(lambda: "trying again" in (page.text_content("#connection") or ""), "the loss is noticed")
    answer(quiet, range(10, 30))
    server.start(server.port)
    watched(page, 30)
    until(lambda: page.is_visible("#notice"), "a word about the gap")
    said = page.text_content("#notice p") or ""
    assert "started again" in said
    assert "none is missing" in said
    page.click("#notice button")
    assert not page.is_visible("#notice")
    assert server.stop() == 0


def test_what_a_new_server_no_longer_has_is_named(page: Page, quiet: Night) -> None:
    server = Server(quiet.folder, quiet.environment, "--keep", str(KEEP))
    page.goto(server.address)
    watched(page, 10)
    server.stop(signal.SIGKILL)
    until(lambda: "trying again" in (page.text_content("#connection") or ""), "the loss is noticed")
    answer(quiet, range(10, 400))
    server.start(server.port)
    until(lambda: page.is_visible("#notice"), "a word about the gap")
    said = page.text_content("#notice p") or ""
    assert "are not all shown" in said
    assert f"only the last {KEEP} are kept" in said
    assert server.stop() == 0


def test_a_page_without_its_topics_says_so_and_finds_them_later(
    page: Page, stack: LocalStack, quiet: Night
) -> None:
    renamed = {"SPECTRAQ_TOPICS__ANOMALIES": f"{quiet.name}.elsewhere"}
    server = Server(quiet.folder, quiet.environment | renamed)
    page.goto(server.address)
    until(lambda: "spectraq topics create" in (page.text_content("#connection") or ""), "what to do")
    assert server.stop() == 0
