"""The page can be read and used by everybody: contrast, names, keyboard, and nothing that jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.pagenight import ANSWERED, Server, until

SPECTRUM = "simulated-9-000004"
CONTRAST = """() => {
  const luminance = (colour) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const draw = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    draw.clearRect(0, 0, 1, 1);
    draw.fillStyle = text;
    draw.fillRect(0, 0, 1, 1);
    return [...draw.getImageData(0, 0, 1, 1).data];
  };
  const ground = (element) => {
    const layers = [];
    for (let node = element; node; node = node.parentElement)
      layers.unshift(rgba(getComputedStyle(node).backgroundColor));
    const over = (under, layer) => under.map((v, i) => v + (layer[i] - v) * (layer[3] / 255));
    return layers.reduce(over, [255, 255, 255]);
  };
  const ratio = (ink, under) => {
    const [low, high] = [luminance(ink), luminance(under)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const look = (name, ink, under) => found.push([name, ratio(rgba(ink).slice(0, 3), under)]);
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility()) continue;
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!written && !["INPUT", "SELECT"].includes(element.tagName)) continue;
    const under = ground(element);
    look(element.id || element.className || element.tagName, getComputedStyle(element).color, under);
    if (element.placeholder) look("placeholder", getComputedStyle(element, "::placeholder").color, under);
  }
  const root = getComputedStyle(document.documentElement);
  const panel = rgba(root.getPropertyValue("--panel")).slice(0, 3);
  for (const name of ["muted", "bad", "emission", "absorption"])
    look(`on canvas: ${name}`, root.getPropertyValue(`--${name}`), panel);
  return found;
}"""
SHIFTS = """() => {
  window.shifts = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.shifts += one.value)))
    .observe({ type: "layout-shift", buffered: true });
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, select, a, [role=img]")]
  .filter((one) => one.checkVisibility())
  .filter((one) => ![one.ariaLabel, one.title, one.textContent, one.labels?.[0]?.textContent].join("").trim())
  .map((one) => one.outerHTML)"""


@pytest.fixture(params=["light", "dark"])
def window(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window of somebody who likes it light, or dark."""
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def stream(page: Page, server: Server) -> None:
    page.goto(server.address)
    until(lambda: f"{ANSWERED} answered" in (page.text_content("#listed") or ""), "all results")
    until(lambda: page.locator(".card").count() > 0, "the anomalies")


def spectrum(page: Page, server: Server) -> None:
    page.goto(f"{server.address}?id={SPECTRUM}")
    until(lambda: page.locator("#chi2 canvas").count() == 1, "the fit")
    until(lambda: page.locator("#mark form").count() == 1, "the form of verdicts")


VIEWS = pytest.mark.parametrize("show", [stream, spectrum], ids=["stream", "spectrum"])


@VIEWS
def test_every_text_stands_out_from_its_ground(
    window: Page, server: Server, show: Callable[[Page, Server], None]
) -> None:
    show(window, server)
    found = window.evaluate(CONTRAST)
    assert len(found) > 60
    assert [(name, round(ratio, 2)) for name, ratio in found if ratio < 4.5] == []


@VIEWS
def test_every_control_and_picture_has_a_name(
    window: Page, server: Server, show: Callable[[Page, Server], None]
) -> None:
    show(window, server)
    assert window.evaluate(NAMELESS) == []


@VIEWS
def test_nothing_jumps_while_it_fills_and_goes_on(
    window: Page, server: Server, show: Callable[[Page, Server], None]
) -> None:
    show(window, server)
    window.wait_for_timeout(1500)
    window.evaluate(SHIFTS)
    window.wait_for_timeout(500)
    assert window.evaluate("window.shifts") < 0.01


def test_the_tabulator_leads_through_all_of_the_spectrum_view(page: Page, server: Server) -> None:
    spectrum(page, server)
    wanted = {"z", "smooth", "next", "png", "rest", "denoised", "spectype", "author", "flux"}
    seen: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate(
                """() => { const one = document.activeElement;
                     return one.dataset.do ?? one.dataset.toggle ?? (one.id || one.name || one.tagName); }"""
            )
        )
    assert wanted <= seen
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_who_goes_back_by_keyboard_is_where_they_left(page: Page, server: Server) -> None:
    stream(page, server)
    page.locator("#results a").nth(3).focus()
    name = page.locator("#results a").nth(3).text_content()
    page.keyboard.press("Enter")
    until(lambda: page.text_content("#sid") == name, "the spectrum")
    page.keyboard.press("Escape")
    until(lambda: page.is_visible("#stream"), "the stream")
    assert page.evaluate("document.activeElement.textContent") == name


def test_light_and_dark_are_chosen_and_kept(page: Page, server: Server) -> None:
    stream(page, server)
    before = page.get_attribute("html", "data-theme")
    page.locator("#theme").focus()
    page.keyboard.press("Enter")
    after = page.get_attribute("html", "data-theme")
    assert {before, after} == {"light", "dark"}
    page.reload()
    assert page.get_attribute("html", "data-theme") == after


@pytest.mark.parametrize("width", [800, 1100, 1440, 1920])
def test_no_width_of_the_window_hides_anything_beside_it(page: Page, server: Server, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for show in (stream, spectrum):
        show(page, server)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
