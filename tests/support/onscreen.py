"""What a browser shows, asked element by element: what is cut, sticks out, is pale or too small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

LOOK = Path(__file__).with_name("onscreen.js").read_text()
PLACED = """window.placed = [];
const put = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const wide = this.measureText(text).width;
  const from = { left: 0, start: 0, center: -wide / 2, right: -wide, end: -wide }[this.textAlign];
  const turn = this.getTransform();
  const ends = [from, from + wide].map((by) => turn.transformPoint(new DOMPoint(x + by, y)));
  placed.push({ text: String(text), canvas: this.canvas, ends });
  return put.call(this, text, x, y);
};"""
"""What is written on a canvas, with the place of its ends in the canvas' own pixels."""


def faults(page: Page) -> dict[str, Any]:
    """Return what is wrong on the page as it stands, by kind; empty is good."""
    seen: dict[str, Any] = page.evaluate(LOOK)
    return {kind: found for kind, found in seen.items() if found}
