// Axes of the plots, and numbers on them that are never cut.

import { colour } from "./colours.js";
import { short } from "./numbers.js";

const FONT = "12px system-ui, sans-serif";
const TICK = 5;
const GAP = 4;
const ruler = document.createElement("canvas").getContext("2d");

export function axis(label, options = {}) {
  return {
    stroke: colour("muted"),
    font: FONT,
    labelFont: FONT,
    label,
    labelSize: 18,
    gap: GAP,
    grid: { stroke: colour("line"), width: 0.6 },
    ticks: { stroke: colour("line"), width: 0.6, size: TICK },
    values: (plot, at) => at.map(short),
    ...options,
  };
}

// Wavelengths with the digits that tell neighbouring marks apart.
export const digits = (plot, at, index, space, step) =>
  at.map((value) => value.toFixed(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))));

// Zero, and a round number on either side.
export function thirds(plot, index, low, high) {
  const power = 10 ** Math.floor(Math.log10(0.9 * high));
  const round = [5, 4, 3, 2, 1].map((factor) => factor * power).find((value) => value <= 0.9 * high) ?? high;
  return [-round, 0, round];
}

export function labelWidth(labels) {
  ruler.font = FONT;
  return (
    Math.ceil(Math.max(0, ...labels.map((label) => ruler.measureText(label ?? "").width))) + TICK + GAP + 2
  );
}
