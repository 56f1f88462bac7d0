"""A person's verdict goes to its topic, is shown beside the answer, and is read by `spectraq watch`."""

from __future__ import annotations

import json
import os
import subprocess

from playwright.sync_api import Page, Route

from tests.support.pagenight import HOSTILE, SPECTRAQ, Night, Server, until

SPECTRUM = "simulated-9-000007"
VERDICT = {
    "author": "Vera",
    "comment": "",
    "machine_spectype": "QSO",
    "machine_z": 1.2,
    "quality": 4,
    "spectype": "QSO",
    "time_ms": 1_700_000_000_000,
    "z": 1.25,
}


def test_a_verdict_is_published_shown_and_watched(page: Page, night: Night, server: Server) -> None:
    page.goto(f"{server.address}?id={SPECTRUM}")
    page.fill("#z", "1.25")
    page.wait_for_selector("#mark form")
    page.click("#mark button:has-text('Take z shown')")
    page.select_option("#mark [name=spectype]", "QSO")
    page.select_option("#mark [name=quality]", "4")
    page.fill("#mark [name=comment]", HOSTILE)
    page.fill("#mark [name=author]", "Vera")
    page.click("#mark [type=submit]")
    until(lambda: "Published" in (page.text_content("#mark .said") or ""), "the acknowledgement")
    line = page.text_content("#mark li") or ""
    assert "QSO z 1.25000, quality 4" in line
    assert HOSTILE in line
    assert page.evaluate("window.hacked") is None
    for author, wanted in (("Vera", 1), ("Henrietta", 2)):  # who judges again replaces their own word alone
        page.fill("#mark [name=author]", author)
        page.fill("#mark [name=comment]", "again")
        page.click("#mark [type=submit]")
        until(lambda author=author: f"again {author}" in _said(page), "the next verdict")
        assert page.locator("#mark li").count() == wanted
    watched = subprocess.run(
        [SPECTRAQ, "watch", "verdicts", "--from-beginning", "--max", "1", "--json"],
        env=os.environ | night.environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    value = json.loads(watched.stdout)["value"]
    assert (value["author"], value["spectype"], value["z"], value["quality"]) == ("Vera", "QSO", 1.25, 4)
    assert value["spectrum_id"] == SPECTRUM
    assert value["machine_spectype"]
    assert len(value["spectrum_digest"]) == 64
    again = Server(night.folder, night.environment)
    page.goto(f"{again.address}?id={SPECTRUM}")
    until(lambda: page.locator("#mark li").count() == 2, "both verdicts after a new start")
    assert again.stop() == 0


def test_a_word_on_a_flag_is_published_and_learned_from(page: Page, night: Night, server: Server) -> None:
    flagged = json.loads(server.get("/api/results?flagged=true&order=strangest")[2])["rows"]
    page.goto(f"{server.address}?order=strangest&id={flagged[0]['spectrum_id']}")
    page.wait_for_selector("#mark form")
    page.select_option("#mark [name=anomaly]", "interesting")
    page.fill("#mark [name=author]", "Cecilia")
    page.click("#mark [type=submit]")
    until(lambda: "flag: interesting" in _said(page), "the word on the flag")
    assert page.input_value("[name=order]") == "strangest"
    learned = subprocess.run(
        [SPECTRAQ, "train", "--from-verdicts", "topic", "--out", str(night.folder / "ranking")],
        env=os.environ | night.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = " ".join(learned.stderr.split())
    assert learned.returncode != 0
    assert "1 flagged spectra with a verdict, 1 interesting; 0 verdicts are on nothing" in said
    assert "at least 60 are needed" in said


def test_what_the_server_reads_after_it_answered_is_shown_when_it_has_read_it(
    page: Page, night: Night, server: Server
) -> None:
    asked = 0

    def early(route: Route) -> None:
        nonlocal asked
        answer = route.fetch()
        body = answer.json()
        if asked == 0:
            route.fulfill(status=404, json={"error": "unknown here", "reading": True})
        elif asked == 1:
            route.fulfill(json=body | {"verdicts": [], "judged": -1})
        else:
            route.fulfill(json=body | {"verdicts": [VERDICT]})
        asked += 1

    page.route(lambda url: "/api/spectrum?" in url and SPECTRUM in url, early)
    page.goto(f"{server.address}?id={SPECTRUM}")
    until(lambda: "Vera" in _said(page), "the verdict that was read later")
    assert page.locator("#mark form").count() == 1


def _said(page: Page) -> str:
    return " ".join(page.locator("#mark ul").all_text_contents())


def test_what_is_no_verdict_is_refused(server: Server) -> None:
    good = {"spectrum_id": SPECTRUM, "spectype": "QSO", "z": 1.0, "quality": 3, "author": "Vera"}
    for change in ({"quality": 5}, {"spectype": "COMET"}, {"author": ""}, {"z": "far"}, {"spectrum_id": ""}):
        assert server.post("/api/verdicts", json.dumps(good | change).encode())[0] == 422
    assert server.post("/api/verdicts", json.dumps(good | {"spectrum_id": "nobody"}).encode())[0] == 404
