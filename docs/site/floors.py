"""The floors of `models` and `workers` as a picture, from the layers that import-linter checks.

python docs/site/floors.py      # writes docs/floors.svg
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH, FLOOR, GAP, MARGIN = 420, 30, 6, 14
TOWER_LEFT = {"workers": MARGIN, "models": MARGIN + WIDTH + 60}
TOP = 96
LETTER = 7.3
"""Width of a letter of the monospaced font, px, with some room."""

HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#52606d"/></marker></defs>'
)

STYLE = """
text { font: 12px ui-monospace, monospace; fill: #1f2933; text-anchor: middle; }
.title { font: 600 14px system-ui, sans-serif; }
.note { font: 12px system-ui, sans-serif; fill: #52606d; }
.ground { fill: #ffffff; }
.door { fill: #fde68a; }
.workers { fill: #dbeafe; }
.schemas { fill: #e5e7eb; }
.models { fill: #dcfce7; }
.arrow { stroke: #52606d; stroke-width: 1.5; fill: none; marker-end: url(#head); }
"""


def floors(package: str) -> list[list[str]]:
    """Return the layers of a package from the top down, each a list of entries."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c.get("containers") == [f"spectraq.{package}"])
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def box(x: float, y: float, width: float, text: str, style: str) -> str:
    """Return a rounded box with a word in it."""
    return (
        f'<rect class="{style}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{FLOOR}" rx="5"/>'
        f'<text x="{x + width / 2:.0f}" y="{y + FLOOR / 2 + 4:.0f}">{text}</text>'
    )


def words(x: float, y: float, text: str, style: str) -> str:
    """Return a line of text centred on x."""
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}">{text}</text>'


def tower(package: str, title: str) -> list[str]:
    """Return a package's floors, the entries of one floor beside each other."""
    left = TOWER_LEFT[package]
    parts = [words(left + WIDTH / 2, TOP - 12, title, "title")]
    for number, entries in enumerate(floors(package)):
        y = TOP + number * (FLOOR + GAP)
        room = WIDTH - GAP * (len(entries) - 1) - LETTER * sum(len(entry) for entry in entries)
        x = float(left)
        for entry in entries:
            width = LETTER * len(entry) + room / len(entries)
            parts.append(box(x, y, width, entry, package))
            x += width + GAP
    return parts


def arrow(path: str) -> str:
    """Return a line that ends in a head."""
    return f'<path class="arrow" d="{path}"/>'


def picture() -> str:
    """Return the whole picture as SVG text."""
    workers, models = TOWER_LEFT["workers"], TOWER_LEFT["models"]
    right = models + WIDTH
    foot = TOP + max(len(floors("workers")), len(floors("models"))) * (FLOOR + GAP)
    under_workers = TOP + len(floors("workers")) * (FLOOR + GAP)
    schemas = foot + 34
    parts = [
        box(workers, MARGIN, right - workers, "spectraq: import spectraq", "door"),
        arrow(f"M{workers + WIDTH / 2:.0f} {MARGIN + FLOOR}V{TOP - 30}"),
        *tower("workers", "workers: input and output"),
        *tower("models", "models: numbers in, numbers out"),
        arrow(f"M{workers + WIDTH + 8} {TOP + 60}H{models - 8}"),
        arrow(f"M{workers + WIDTH / 2:.0f} {under_workers}V{schemas - 8}"),
        box(workers, schemas, WIDTH, "schemas: the contract", "schemas"),
        words(models + WIDTH / 2, schemas + 12, "An entry may import those of the floors below it;", "note"),
        words(models + WIDTH / 2, schemas + 28, "an arrow says which part knows which.", "note"),
    ]
    width, height = right + MARGIN, schemas + FLOOR + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="{NAMESPACE}" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            "<title>The floors of workers and models, and what stands beside them</title>",
            f"<style>{STYLE}</style>",
            HEAD,
            f'<rect class="ground" width="{width}" height="{height}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "floors.svg").write_text(picture())
