"""The stream view in a real browser, on a real stack: numbers, pictures, filters, anomalies."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from playwright.sync_api import Page

from spectraq.workers.demonstration import simulated
from tests.support.pagenight import ANSWERED, HOSTILE, Night, Server, until
from tests.support.stranger import Stranger


def rows(server: Server, query: str = "") -> list[dict[str, Any]]:
    status, _, body = server.get(f"/api/results?limit=1000{query}")
    assert status == 200, body
    found: list[dict[str, Any]] = json.loads(body)["rows"]
    return found


def painted(page: Page, selector: str) -> int:
    """Pixels of a canvas that are not transparent."""
    return int(
        page.eval_on_selector(
            selector,
            """c => c.getContext("2d").getImageData(0, 0, c.width, c.height)
                     .data.filter((value, i) => i % 4 == 3 && value).length""",
        )
    )


def test_the_numbers_of_the_night_are_shown(opened: Page) -> None:
    assert opened.text_content("#lag") == "0"
    assert opened.locator("#partitions > div").count() == 2
    parts = opened.eval_on_selector_all(
        "#partitions > div", "all => all.map(one => one.innerText.split(/\\s+/))"
    )
    assert parts == [["0", "0", "ms"], ["0", "0", "ms"]]
    assert opened.text_content("#workers") == "0"  # it has drained and left
    assert opened.text_content("#dead") == "2"
    assert opened.text_content("#reasons") == "undecodable 2"
    assert "were known" in (opened.text_content("#cache-sub") or "")
    for percentile in ("p50", "p95", "p99"):
        assert (opened.text_content(f"#{percentile}") or "").split()[-1] in ("ms", "s", "min")


def test_class_mix_and_redshifts_are_those_of_the_results(opened: Page, server: Server) -> None:
    classes = [row["spectype"] for row in rows(server)]
    for name in ("GALAXY", "QSO", "STAR"):
        shown = opened.locator(".mixrow", has_text=name).text_content() or ""
        assert f"{name}{classes.count(name)} ·" in shown
        assert painted(opened, f"#nz-{name}") > 100
    assert painted(opened, "#series canvas") > 100


def test_every_flagged_spectrum_has_a_card_with_plot_score_and_words(opened: Page, server: Server) -> None:
    flagged = rows(server, "&flagged=true")
    assert flagged, "the simulated spectra hold an anomaly"
    card = opened.locator(f'.card[data-id="{flagged[0]["spectrum_id"]}"]')
    assert flagged[0]["reason"] in (card.text_content() or "")
    assert f"score {flagged[0]['score']:.1f}" in (card.text_content() or "")
    until(lambda: painted(opened, ".card canvas") > 50, "the small plot")


@pytest.mark.parametrize(
    ("field", "value", "query"),
    [
        ("spectype", "STAR", "spectype=STAR"),
        ("zmin", "0.3", "zmin=0.3"),
        ("zmax", "0.1", "zmax=0.1"),
        ("snrmin", "10", "snrmin=10"),
        ("flagged", "true", "flagged=true"),
        ("warned", "false", "warned=false"),
        ("text", "target-17", "text=target-17"),
        ("cone", "150.1 +2", "ra=150.1&dec=2"),
    ],
)
def test_each_filter_leaves_what_matches(
    opened: Page, server: Server, field: str, value: str, query: str
) -> None:
    wanted = {row["spectrum_id"] for row in rows(server, f"&{query}")}
    assert 0 < len(wanted) < ANSWERED
    control = opened.locator(f"#filters [name={field}]")
    if field in ("spectype", "flagged", "warned"):
        control.select_option(value)
    else:
        control.fill(value)
    until(
        lambda: (
            set(opened.eval_on_selector_all("#results tbody tr", "r => r.map(x => x.dataset.id)")) == wanted
        ),
        "the matching rows",
    )
    opened.reload()
    until(lambda: f"{len(wanted)} of" in (opened.text_content("#listed") or ""), "the filter of the address")


def test_a_cone_holds_what_lies_within_its_radius(server: Server) -> None:
    near = rows(server, "&ra=150.1&dec=2&radius=130")
    assert {row["target_id"] for row in near} == {f"target-{number}" for number in (4, 5, 6, 7, 8)}


def test_a_senseless_filter_is_refused(server: Server) -> None:
    assert server.get("/api/results?zmin=nan")[0] == 422
    assert server.get("/api/results?nonsense=1")[0] == 422


def test_a_hostile_message_is_shown_as_text(opened: Page) -> None:
    link = opened.locator("#results a", has_text="onerror")
    assert link.text_content() == HOSTILE
    link.click()
    until(lambda: opened.text_content("#sid") == HOSTILE, "its page")
    until(lambda: "<script>" in (opened.text_content("#meta") or ""), "its survey")
    until(lambda: opened.locator("#best tbody tr").count() > 0, "its candidates")
    assert opened.evaluate("window.hacked") is None
    assert opened.locator("img, #sid *").count() == 0


def test_the_keyboard_alone_leads_to_a_spectrum_and_back(opened: Page) -> None:
    opened.keyboard.press("/")
    opened.keyboard.type("target-17")
    until(lambda: opened.locator("#results tbody tr").count() == 1, "the one row")
    opened.keyboard.press("Escape")
    opened.locator("#results a").focus()
    opened.keyboard.press("Enter")
    until(lambda: opened.is_visible("#spectrum"), "the spectrum")
    opened.keyboard.press("Escape")
    until(lambda: opened.is_visible("#stream"), "the stream")
    opened.keyboard.press("?")
    assert opened.is_visible("#keys")


def test_partitions_that_nobody_reads_are_named_beside_the_lag(night: Night, opened: Page) -> None:
    assert "nobody" not in (opened.text_content("#lag-s") or "")
    with Stranger(night.settings(), {1}):
        until(lambda: opened.text_content("#lag-s") == "nobody reads 1", "the partition's name")
        assert "bad" in (opened.get_attribute("#lag-s", "class") or "")
        title = opened.locator("#partitions > div").nth(1).get_attribute("title") or ""
        assert title.endswith("nobody reads it")
    until(lambda: "nobody" not in (opened.text_content("#lag-s") or ""), "its end")


def test_new_results_come_by_themselves_and_a_killed_server_leaves_no_gap_unnamed(
    night: Night, page: Page
) -> None:
    server = Server(night.folder, night.environment)
    page.goto(server.address)
    until(lambda: "answered" in (page.text_content("#listed") or ""), "the night")
    before = int((page.text_content("#listed") or "").split()[0])
    server.stop(signal.SIGKILL)
    until(lambda: "lost" in (page.text_content("#connection") or ""), "the page notices")
    more = [spectrum for spectrum, _ in simulated.spectra(3, 77)]
    night.publish(more)
    night.work()
    server.start(server.port)
    until(lambda: page.text_content("#connection") == "live", "the page is back")
    until(lambda: page.is_visible("#notice"), "the gap is named")
    assert "none is missing" in (page.text_content("#notice") or "")
    until(lambda: f"{before + 3} answered" in (page.text_content("#listed") or ""), "what came meanwhile")
    assert server.stop() == 0
