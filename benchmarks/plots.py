"""The few plots that the documents need, written as SVG: axes, points with bars, histograms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

COLOURS = {"labelled": "#0a6", "mocks": "#36c", "simulated": "#36c"}
WIDTH, HEIGHT, MARGIN = 230, 190, 42


@dataclass
class Panel:
    """One pair of axes; coordinates are given in the units of the data."""

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str = ""
    y_label: str = ""
    parts: list[str] = field(default_factory=list)

    def _place(self, x: float, y: float) -> tuple[float, float]:
        across = MARGIN + (x - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - MARGIN - 12)
        down = HEIGHT - MARGIN - (y - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - MARGIN - 26)
        return across, down

    def line(self, points: list[tuple[float, float]], colour: str, dashed: bool = False) -> None:
        """Draw a polyline; what leaves the axes is cut."""
        inside = [(x, min(max(y, self.y[0]), self.y[1])) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._place(*point) for point in inside))
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"{dash}/>')

    def steps(self, edges: list[float], heights: list[float], colour: str, filled: bool) -> None:
        """Draw a histogram."""
        points = [(edges[0], 0.0)]
        for left, right, height in zip(edges, edges[1:], heights, strict=False):
            points += [(left, height), (right, height)]
        points.append((edges[-1], 0.0))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._place(x, min(y, self.y[1])) for x, y in points))
        fill = f'fill="{colour}" fill-opacity="0.3"' if filled else 'fill="none"'
        self.parts.append(f'<polyline points="{path}" {fill} stroke="{colour}"/>')

    def point(self, x: float, y: float, low: float, high: float, colour: str) -> None:
        """Draw a point with an error bar from low to high."""
        across, down = self._place(x, y)
        top, bottom = self._place(x, min(high, self.y[1]))[1], self._place(x, max(low, self.y[0]))[1]
        self.parts.append(
            f'<path d="M{across:.1f} {top:.1f}V{bottom:.1f}" stroke="{colour}"/>'
            f'<circle cx="{across:.1f}" cy="{down:.1f}" r="2.5" fill="{colour}"/>'
        )

    def text(self, row: int, words: str, colour: str) -> None:
        """Write a line of text into the upper left corner."""
        at = f'x="{MARGIN + 5}" y="{38 + 12 * row}"'
        self.parts.append(f'<text {at} fill="{colour}" font-size="9">{words}</text>')

    def svg(self) -> str:
        """Return the panel with its axes."""
        left, bottom = self._place(self.x[0], self.y[0])
        right, top = self._place(self.x[1], self.y[1])
        middle = (left + right) / 2
        centred = f'x="{middle:.1f}" text-anchor="middle"'
        ends = "".join(
            f'<text x="{at:.1f}" y="{bottom + 12:.1f}" text-anchor="middle" font-size="9">{value:g}</text>'
            for at, value in ((left, self.x[0]), (right, self.x[1]))
        ) + "".join(
            f'<text x="{left - 4:.1f}" y="{at + 3:.1f}" text-anchor="end" font-size="9">{value:g}</text>'
            for at, value in ((bottom, self.y[0]), (top, self.y[1]))
        )
        return (
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
            ' fill="none" stroke="#888"/>'
            f'<text {centred} y="16" font-size="11">{self.title}</text>'
            f'<text {centred} y="{HEIGHT - 14}" font-size="9">{self.x_label}</text>'
            f'<text transform="translate(12 {(top + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle"'
            f' font-size="9">{self.y_label}</text>' + ends + "".join(self.parts)
        )


def write(path: Path, panels: list[list[Panel]]) -> None:
    """Write rows of panels as one picture."""
    width, height = WIDTH * max(map(len, panels)), HEIGHT * len(panels)
    placed = "".join(
        f'<g transform="translate({WIDTH * j} {HEIGHT * i})">{panel.svg()}</g>'
        for i, row in enumerate(panels)
        for j, panel in enumerate(row)
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>{placed}</svg>\n'
    )
