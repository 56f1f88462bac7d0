"""The model in parts, in a real browser: each part switched on and off, and kept so for the next spectrum."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.pagenight import Server, until
from tests.workers.web.test_spectrum_view import address, image, look, written

COMPONENTS = ("continuum", "narrow", "broad", "iron", "response")
PLOT = "#flux .uplot canvas"


def of_class(server: Server, spectype: str) -> str:
    rows = json.loads(server.get(f"/api/results?spectype={spectype}&snrmin=4")[2])["rows"]
    return str(next(row["spectrum_id"] for row in rows if row["spectrum_id"].startswith("simulated")))


def model_of(server: Server, spectrum_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.get(f"/api/model?id={spectrum_id}")[2])
    return found


def switch(page: Page, name: str) -> Any:
    return page.get_by_role("checkbox", name=name.capitalize(), exact=True)


def colours(page: Page) -> list[str]:
    return [
        page.evaluate("name => getComputedStyle(document.body).getPropertyValue('--' + name)", name)
        for name in (*COMPONENTS, "model", "denoised", "flux")
    ]


@pytest.fixture
def quasar(page: Page, server: Server) -> Page:
    look(page, server, spectrum_id=of_class(server, "QSO"))
    return page


def test_only_the_model_is_shown_until_a_part_is_asked_for_and_each_is_a_curve_of_its_own(
    quasar: Page,
) -> None:
    quasar.click("[data-toggle=lines]")  # and so drawn once more, in the room that the model's numbers need
    pictures = {"": image(quasar, PLOT)}
    for name in COMPONENTS:
        box = switch(quasar, name)
        assert not box.is_checked() and address(quasar, name) is None
        box.check()
        assert address(quasar, name) == "1"
        pictures[name] = image(quasar, PLOT)
        box.uncheck()
        assert address(quasar, name) is None
        assert image(quasar, PLOT) == pictures[""]
    assert len(set(pictures.values())) == len(pictures)
    for scheme in range(2):
        shown = colours(quasar)
        assert len(set(shown)) == len(shown), scheme
        quasar.click("#theme")


def test_the_response_has_a_scale_of_its_own(quasar: Page) -> None:
    assert "response" not in written(quasar)
    switch(quasar, "response").check()
    until(lambda: "response" in written(quasar), "the scale's name")


def test_switches_are_worked_by_keys_and_keep_their_place_along_the_list(opened: Page) -> None:
    opened.locator("#results tbody tr").nth(2).click()
    until(lambda: opened.locator("#chi2 canvas").count() == 1, "the fit")
    first = opened.text_content("#sid")
    switch(opened, "continuum").focus()
    opened.keyboard.press("Space")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.name") in ("broad", "iron", "response")
    opened.keyboard.press("n")
    until(lambda: opened.text_content("#sid") != first, "the next")
    until(lambda: address(opened, "continuum") == "1", "the same part in the address")
    assert switch(opened, "continuum").is_checked() and not switch(opened, "narrow").is_checked()
    opened.keyboard.press("b")
    until(lambda: opened.text_content("#sid") == first, "the one before")
    assert switch(opened, "continuum").is_checked()


def test_what_a_model_does_not_have_can_not_be_switched(page: Page, server: Server) -> None:
    star = of_class(server, "STAR")
    look(page, server, "&narrow=1", star)
    assert {name for name in COMPONENTS if model_of(server, star)[name]} == {"continuum", "response"}
    for name in ("narrow", "broad", "iron"):
        assert switch(page, name).is_disabled()
        assert "none in this model" in (page.get_attribute(f"[data-component={name}]", "title") or "")
    assert switch(page, "continuum").is_enabled() and switch(page, "response").is_enabled()


def test_what_is_downloaded_has_the_parts_and_they_add_up(quasar: Page) -> None:
    def saved(kind: str) -> bytes:
        with quasar.expect_download() as download:
            quasar.click(f"[data-do={kind}]")
        return download.value.path().read_bytes()

    model = json.loads(saved("json"))["model"]
    parts = zip(*(model[name] for name in COMPONENTS[:-1]), strict=True)
    scale = max(map(abs, model["flux"]))
    assert [sum(values) for values in parts] == pytest.approx(model["flux"], abs=1e-6 * scale)
    table = csv.DictReader(saved("csv").decode().splitlines())
    assert any(float(row["broad"] or 0) > 0 for row in table)
