"""The spectrum view in a real browser: everything on it, moved, typed at, downloaded and linked."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.pagenight import Server, until

SPECTRUM = "simulated-9-000004"


def result(server: Server, spectrum_id: str = SPECTRUM) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.get(f"/api/spectrum?id={spectrum_id}")[2])["results"]
    return found


def look(page: Page, server: Server, query: str = "", spectrum_id: str = SPECTRUM) -> None:
    page.goto(f"{server.address}?id={spectrum_id}{query}")
    until(lambda: page.locator("#chi2 canvas").count() == 1, "the fit")


def address(page: Page, name: str) -> str | None:
    return page.evaluate("name => new URLSearchParams(location.search).get(name)", name)


def image(page: Page, selector: str) -> str:
    return str(page.eval_on_selector(selector, "canvas => canvas.toDataURL()"))


def written(page: Page) -> set[str]:
    """What stands on the canvases."""
    return set(page.evaluate("written"))


def shown_z(page: Page) -> float:
    return float(page.input_value("#z"))


@pytest.fixture
def flux(page: Page, server: Server) -> Page:
    look(page, server)
    return page


def test_the_answer_its_bars_and_its_candidates_are_shown(flux: Page, server: Server) -> None:
    found = result(server)
    answer = flux.text_content("#answer") or ""
    assert found["classification"]["spectype"] in answer
    assert f"z = {found['redshift']['z']:.5f}" in answer
    classes = len(found["classification"]["class_probability"])
    assert flux.locator("#bars .bar-row u").count() > classes - 1  # each with its whisker of spread
    assert flux.locator("#best tbody tr").count() == len(found["redshift"]["candidates"])
    assert "ordinary spectra score" in (flux.text_content("#odd") or "")


def test_a_click_on_a_minimum_of_chi2_moves_the_model_there(flux: Page) -> None:
    before = image(flux, "#flux .uplot canvas")
    box = flux.locator("#chi2 .u-over").bounding_box()
    assert box is not None
    flux.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    until(lambda: shown_z(flux) > 0.5, "another redshift")
    assert image(flux, "#flux .uplot canvas") != before
    assert float(address(flux, "z") or 0) == pytest.approx(shown_z(flux), abs=1e-5)


def test_lines_sky_and_axes_have_names(flux: Page) -> None:
    names = written(flux)
    assert {"Hα", "[O III]", "Hβ", "Na D", "Mg b"} & names
    assert {name for name in names if name.startswith("⊕")}
    assert {"residual / σ", "wavelength (Å, vacuum)"} <= names
    flux.keyboard.press("t")
    until(lambda: "rest wavelength (Å, vacuum)" in written(flux), "the rest frame")


def test_the_error_the_sky_and_the_mask_are_drawn_and_can_be_hidden(flux: Page) -> None:
    before = image(flux, "#flux .uplot canvas")
    flux.click("[data-toggle=sky]")
    assert address(flux, "sky") == "0"
    bare = image(flux, "#flux .uplot canvas")
    assert bare != before
    flux.click("[data-toggle=error]")
    assert image(flux, "#flux .uplot canvas") not in (bare, before)


def test_small_steps_and_less_smoothing_have_keys(flux: Page) -> None:
    before = shown_z(flux)
    flux.keyboard.press("Shift+ArrowRight")
    assert shown_z(flux) == pytest.approx(before + 1e-4 * (1 + before), abs=2e-5)
    flux.keyboard.press("Shift+ArrowLeft")
    assert shown_z(flux) == pytest.approx(before, abs=2e-5)
    for key, value in (("s", "1"), ("s", "2"), ("S", "1")):
        flux.keyboard.press(key)
        assert flux.input_value("#smooth") == value
    flux.keyboard.press("?")
    assert flux.is_visible("#keys")
    assert flux.locator("#keys kbd").count() >= 15


def test_shift_and_drag_move_the_window(page: Page, server: Server) -> None:
    look(page, server, "&x=5000.0-6000.0")
    box = page.locator("#flux .u-over").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 400, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 100, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    first, last = (float(edge) for edge in (address(page, "x") or "").split("-"))
    assert first > 5050
    assert last - first == pytest.approx(1000, abs=1)
    page.mouse.dblclick(box["x"] + 400, box["y"] + 100)
    until(lambda: address(page, "x") is None, "all in view")


def test_a_candidate_is_shown_when_it_is_chosen(flux: Page, server: Server) -> None:
    second = result(server)["redshift"]["candidates"][1]
    flux.locator("#best tbody tr").nth(1).locator("button").focus()
    flux.keyboard.press("Enter")
    assert shown_z(flux) == pytest.approx(second["z"], abs=1e-5)


def test_a_line_that_is_dragged_carries_the_redshift(flux: Page) -> None:
    place = flux.evaluate(
        """async () => {
             const over = document.querySelector("#flux .u-over");
             return over.getBoundingClientRect().toJSON();
           }"""
    )
    y = place["y"] + place["height"] / 2
    before = shown_z(flux)
    for x in range(int(place["x"]) + 30, int(place["x"] + place["width"]) - 150, 2):
        flux.mouse.move(x, y)
        if "grab" in (flux.get_attribute("#flux .u-over", "class") or ""):
            break
    flux.mouse.down()
    flux.mouse.move(x + 40, y, steps=5)
    flux.mouse.up()
    until(lambda: shown_z(flux) > before + 1e-3, "the redshift moved")
    assert address(flux, "z") is not None
    flux.keyboard.press("r")
    assert shown_z(flux) == pytest.approx(before, abs=1e-5)


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("d", "denoised", "1"),
        ("l", "lines", "0"),
        ("m", "model", "0"),
        ("e", "error", "0"),
        ("t", "rest", "1"),
        ("s", "smooth", "1"),
    ],
)
def test_a_key_changes_the_picture_and_the_address(flux: Page, key: str, name: str, value: str) -> None:
    picture = "#flux canvas.over" if key == "l" else "#flux .uplot canvas"
    before = image(flux, picture)
    flux.keyboard.press(key)
    until(lambda: address(flux, name) == value, "the address")
    until(lambda: image(flux, picture) != before, "the picture")


def test_arrows_wheel_and_drag_move_the_window(flux: Page) -> None:
    flux.keyboard.press("ArrowUp")
    until(lambda: address(flux, "x"), "zoomed in")
    zoomed = [float(edge) for edge in (address(flux, "x") or "").split("-")]
    flux.keyboard.press("ArrowRight")
    until(lambda: float((address(flux, "x") or "").split("-")[0]) > zoomed[0], "moved on")
    box = flux.locator("#flux .u-over").bounding_box()
    assert box is not None
    flux.mouse.move(box["x"] + 300, box["y"] + 100)
    flux.mouse.wheel(0, -200)
    until(lambda: _wide(flux) < zoomed[1] - zoomed[0], "zoomed by the wheel")
    flux.keyboard.press("r")
    until(lambda: address(flux, "x") is None, "all in view")
    flux.mouse.move(box["x"] + 302, box["y"] + 200)
    flux.keyboard.down("Shift")
    flux.keyboard.up("Shift")
    empty = _free_of_lines(flux, box)
    flux.mouse.move(empty, box["y"] + 200)
    flux.mouse.down()
    flux.mouse.move(empty + 120, box["y"] + 200, steps=4)
    flux.mouse.up()
    until(lambda: address(flux, "x"), "zoomed to what was dragged over")


def _wide(page: Page) -> float:
    first, last = (float(edge) for edge in (address(page, "x") or "0-9999").split("-"))
    return last - first


def _free_of_lines(page: Page, box: Any) -> float:
    for x in range(int(box["x"]) + 300, int(box["x"]) + 600, 7):
        page.mouse.move(x, box["y"] + 200)
        if "grab" not in (page.get_attribute("#flux .u-over", "class") or ""):
            return x
    raise AssertionError("lines everywhere")


def test_n_and_b_walk_along_the_list_and_z_takes_a_redshift(opened: Page) -> None:
    ids = opened.eval_on_selector_all("#results tbody tr", "rows => rows.map(row => row.dataset.id)")
    opened.locator("#results tbody tr").nth(2).click()
    until(lambda: opened.text_content("#sid") == ids[2], "the third")
    opened.keyboard.press("n")
    until(lambda: opened.text_content("#sid") == ids[3], "the next")
    opened.keyboard.press("b")
    until(lambda: opened.text_content("#sid") == ids[2], "the one before")
    opened.keyboard.press("z")
    opened.keyboard.type("0.25")
    opened.keyboard.press("Enter")
    until(lambda: address(opened, "z") == "0.250000", "the typed redshift")


def test_a_link_shows_a_colleague_the_same(page: Page, server: Server) -> None:
    look(page, server, "&z=0.123&smooth=4&rest=1&x=4500.0-5200.0&denoised=1&sky=0")
    assert shown_z(page) == 0.123
    assert page.input_value("#smooth") == "4"
    for name, pressed in {"rest": "true", "denoised": "true", "sky": "false", "model": "true"}.items():
        assert page.get_attribute(f"[data-toggle={name}]", "aria-pressed") == pressed
    first = image(page, "#flux .uplot canvas")
    page.reload()
    until(lambda: page.locator("#chi2 canvas").count() == 1, "the fit")
    until(lambda: image(page, "#flux .uplot canvas") == first, "the same picture")
    assert address(page, "x") == "4500.0-5200.0"


def test_what_is_downloaded_holds_the_numbers(flux: Page, server: Server) -> None:
    def saved(kind: str) -> bytes:
        with flux.expect_download() as download:
            flux.click(f"[data-do={kind}]")
        return download.value.path().read_bytes()

    everything = json.loads(saved("json"))
    assert everything["redshift"]["z"] == result(server)["redshift"]["z"]
    table = list(csv.DictReader(saved("csv").decode().splitlines()))
    assert len(table) == len(everything["flux"])
    pixel = next(i for i, row in enumerate(table) if row["masked"] == "0" and row["model"])
    assert float(table[pixel]["flux"]) == pytest.approx(everything["flux"][pixel], rel=1e-5)
    assert saved("png").startswith(b"\x89PNG")


def test_anomalous_intervals_are_shaded_on_the_residuals(page: Page, server: Server) -> None:
    flagged = json.loads(server.get("/api/results?flagged=true")[2])["rows"]
    name = flagged[0]["spectrum_id"]
    look(page, server, spectrum_id=name)
    assert flagged[0]["reason"] in (page.text_content("#odd") or "")
    assert page.locator("#answer .chip.bad").text_content() == "anomaly"
    kinds = {reason["kind"].replace("_", " ") for reason in result(server, name)["anomaly"]["reasons"]}
    assert kinds & written(page)  # the kind's name beside the shade


def test_an_unknown_spectrum_is_said_to_be_unknown(page: Page, server: Server) -> None:
    page.goto(f"{server.address}?id=nobody")
    until(lambda: "nobody: unknown here" in (page.text_content("#notice") or ""), "the sentence")


def test_the_first_picture_and_the_pointer_are_quick(flux: Page) -> None:
    """Order of magnitude alone; `benchmarks/page.py` measures."""
    until(lambda: _measured(flux, "spectrum-drawn"), "the first picture")
    assert _measured(flux, "spectrum-drawn")[0] < 1500


def _measured(page: Page, name: str) -> list[float]:
    return list(page.evaluate("name => performance.getEntriesByName(name).map(m => m.duration)", name))
