"""The page on every screen: from a phone to a desk, light and dark, by finger and by mouse."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route

from spectraq.workers.cli.oddity import rarity
from tests.support.onscreen import PLACED, faults
from tests.support.pagenight import ANSWERED, HOSTILE, Server, until

PHONE, TABLET, DESK = (390, 844), (768, 1024), (1440, 960)
Opening = Callable[..., Page]


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Opening]:
    """Open views of the night's page; below a desk's width, the screen is one for fingers."""
    opened = []

    def opening(size: tuple[int, int], scheme: str = "light", query: str = "") -> Page:
        touch = size != DESK
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=touch,
            is_mobile=touch,
        )
        opened.append(context)
        context.add_init_script(PLACED)
        page = context.new_page()
        show(page, server, query)
        return page

    yield opening
    for context in opened:
        context.close()


def show(page: Page, server: Server, query: str = "") -> None:
    page.goto(server.address + query)
    if query:
        until(lambda: page.locator("#chi2 canvas").count() == 1, "the fit")
    else:
        until(lambda: f"{ANSWERED} answered" in (page.text_content("#listed") or ""), "all results")
        page.wait_for_selector(".card canvas")


def flagged(server: Server) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(server.get("/api/results?flagged=true")[2])["rows"][0]
    return row


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, TABLET, DESK], ids=["phone", "tablet", "desk"])
def test_nothing_is_cut_pale_or_too_small(
    window: Opening, server: Server, size: tuple[int, int], scheme: str
) -> None:
    page = window(size, scheme)
    assert faults(page) == {}
    if page.is_visible("#fold"):
        page.click("#fold")
        assert faults(page) == {}
    page.click("#help")
    assert faults(page) == {}
    show(page, server, f"?id={flagged(server)['spectrum_id']}")
    assert faults(page) == {}
    show(page, server, f"?id={flagged(server)['spectrum_id']}&x=6000.0-6008.0&rest=1&response=1&narrow=1")
    assert faults(page) == {}


def test_hints_speak_of_what_the_device_has(window: Opening, server: Server) -> None:
    query = f"?id={flagged(server)['spectrum_id']}"
    for size, has, has_not in ((PHONE, "two fingers", "wheel"), (DESK, "wheel", "fingers")):
        page = window(size, query=query)
        words = page.inner_text("#hover") + page.inner_text("figcaption:has-text('χ²')")
        assert has in words and has_not not in words
        assert ("tap a minimum" in words) == (size == PHONE)
        page.click("#help")
        assert page.is_visible("#keys .by-keys") == (size == DESK)
        assert page.is_visible("#keys .by-fingers") == (size == PHONE)


def test_the_tools_stand_in_one_row_that_says_where_it_goes_on(window: Opening, server: Server) -> None:
    page = window(PHONE, query=f"?id={flagged(server)['spectrum_id']}")
    middles = page.eval_on_selector_all(
        ".tools > :not(.gap)", "all => all.map(e => e.getBoundingClientRect()).map(r => r.y + r.height / 2)"
    )
    assert max(middles) - min(middles) < 4
    assert page.get_attribute(".tools", "data-more") == "right"
    page.eval_on_selector(".tools", "row => row.scrollTo(9999, 0)")
    until(lambda: page.get_attribute(".tools", "data-more") == "left", "the other end")


class Fingers:
    """Touches on a page, as its device sends them."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def move(self, *path: tuple[tuple[float, float], ...], hold: Callable[[], None] | None = None) -> None:
        """Put fingers down, move them along places, and lift them."""
        for number, places in enumerate(path):
            self._send("touchMove" if number else "touchStart", places)
            if hold and not number:
                hold()
        self._send("touchEnd", ())

    def _send(self, kind: str, places: tuple[tuple[float, float], ...]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def edges(page: Page) -> tuple[float, float] | None:
    text = page.evaluate("new URLSearchParams(location.search).get('x')")
    if text is None:
        return None
    first, last = (float(edge) for edge in text.split("-"))
    return first, last


def test_fingers_move_zoom_read_and_carry(window: Opening, server: Server) -> None:
    page = window(PHONE, query=f"?id={flagged(server)['spectrum_id']}")
    fingers = Fingers(page)
    page.locator("#flux").scroll_into_view_if_needed()
    box = page.locator("#flux .u-over").bounding_box()
    assert box is not None
    left, y = box["x"], box["y"] + box["height"] / 2
    spread = [((left + 120 - 6 * k, y), (left + 160 + 6 * k, y)) for k in range(8)]
    fingers.move(*spread)
    zoomed = until(lambda: edges(page), "two fingers zoom")
    fingers.move(*[((left + 200 - 10 * k, y),) for k in range(6)])
    moved = until(lambda: edges(page) != zoomed and edges(page), "one finger moves")
    assert moved[0] > zoomed[0]
    assert moved[1] - moved[0] == pytest.approx(zoomed[1] - zoomed[0], abs=1)
    page.touchscreen.tap(left + 100, y)
    until(lambda: "flux" in page.inner_text("#hover"), "a tap reads")
    page.touchscreen.tap(left + 100, y)
    until(lambda: edges(page) is None, "two taps show all")

    before = float(page.input_value("#z"))
    line = page.evaluate(
        "placed.filter(one => one.canvas.className == 'over').at(-1).ends.reduce((a, b) => a + b.x / 2, 0)"
    ) / page.evaluate("devicePixelRatio")
    x = page.locator("#flux").bounding_box()["x"] + line  # type: ignore[index]
    fingers.move(((x, y),), *[((x - 5 * k, y),) for k in range(5)], hold=lambda: page.wait_for_timeout(500))
    until(lambda: float(page.input_value("#z")) < before - 1e-3, "a line that is held is carried")
    page.tap("[data-do=reset]")
    page.tap("[data-step='1']")
    until(lambda: before < float(page.input_value("#z")) < before + 1e-3, "a small step")

    page.locator("#chi2").scroll_into_view_if_needed()
    box = page.locator("#chi2 .u-over").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 20)
    until(lambda: abs(float(page.input_value("#z")) - before) > 0.1, "a tap on chi2")


def test_an_oddity_has_one_number_in_card_list_view_and_words(window: Opening, server: Server) -> None:
    row = flagged(server)
    number = f"score {row['score']:.1f}"
    page = window(DESK)
    places = [
        page.inner_text(f'.card[data-id="{row["spectrum_id"]}"]'),
        page.inner_text(f'#results tr[data-id="{row["spectrum_id"]}"]'),
    ]
    show(page, server, f"?id={row['spectrum_id']}")
    places.append(page.inner_text("#odd"))
    assert f"{number}: {rarity(row['rate'])}." in places[-1]  # as the terminal says it
    for text in places:
        assert set(re.findall(r"score -?[\d.]+\d", text)) == {number}
        assert not re.search(r"\d ?(σ|sigma)", text)
        assert row["reason"] in " ".join(text.split())
    assert not [text for text in page.evaluate("placed.map(one => one.text)") if re.search(r"\dσ", text)]


def spiked(route: Route, height: float) -> None:
    """Give every 97th pixel of a spectrum a height that no other has."""
    answer = route.fetch()
    body = answer.json()
    flux = np.frombuffer(base64.b64decode(body["pixels"]["flux"]), "<f4").copy()
    flux[500::97] = height
    body["pixels"]["flux"] = base64.b64encode(flux.tobytes()).decode()
    route.fulfill(response=answer, json=body)


RED = """canvas => {
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const [r, g, b] = [0xc0, 0x26, 0x2d];
  let n = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] == r && data[i + 1] == g && data[i + 2] == b) n++;
  return n;
}"""


@pytest.mark.parametrize("height", [-1e5, 1e5])
def test_spikes_do_not_set_the_scale_and_are_marked(window: Opening, server: Server, height: float) -> None:
    name = next(
        row["spectrum_id"]
        for row in json.loads(server.get("/api/results?flagged=false")[2])["rows"]
        if row["snr"] > 5 and row["spectrum_id"] != HOSTILE
    )
    page = window(DESK)

    def shown() -> tuple[float, int]:
        page.evaluate("placed.length = 0")
        show(page, server, f"?id={name}&model=0&lines=0&sky=0")
        page.wait_for_timeout(200)
        ticks = page.evaluate("placed.filter(p => p.canvas.closest('#flux')).map(p => Number(p.text))")
        values = [abs(tick) for tick in ticks if tick is not None and abs(tick) < 3000]
        return max(values), page.eval_on_selector("#flux .uplot canvas", RED)

    calm, none = shown()
    page.route("**/api/spectrum?*", lambda route: spiked(route, height))
    wild, marks = shown()
    assert wild == pytest.approx(calm, rel=0.5)
    assert none == 0
    assert marks > 100
