// Named lines over the flux, where z puts them, each with its measured flux where there is room for it.

import { colour } from "./colours.js";
import { ABSORPTION, EMISSION } from "./constants.js"; // written by the server, from models/lines.py
import { sharp } from "./dom.js";

const GAP = 6; // px between two names of a row
const ROWS = 3;

// A sky's or a zero line has no name of its own; these do. `fluxesOf` gives what is measured of a line.
export function placedLines(z, scale, fluxesOf) {
  const put =
    (kind) =>
    ([name, rest, key]) => ({ name, rest, kind, at: (rest * (1 + z)) / scale, fluxes: fluxesOf(key) });
  return [...EMISSION.map(put("emission")), ...ABSORPTION.map(put("absorption"))];
}

const free = (row, label, left, right) =>
  row.every((other) => other === label || right + GAP < other.left || left - GAP > other.right);

// Names above the plot, in rows; of a doublet one name is enough. The surest lines come first.
function named(lines, width) {
  const rows = Array.from({ length: ROWS }, () => []);
  const labels = [];
  for (const line of lines.toSorted((a, b) => b.fluxes.snr - a.fluxes.snr || a.x - b.x)) {
    const wide = width(line.name);
    const [left, right] = [line.x - wide / 2, line.x + wide / 2];
    const same = labels.find((label) => label.name === line.name && Math.abs(label.x - line.x) < wide + 12);
    if (same) {
      same.fluxes.push(...line.fluxes.seen);
      continue;
    }
    const row = rows.findIndex((others) => free(others, null, left, right));
    if (row < 0) continue;
    const label = { ...line, left, right, row, words: line.name, fluxes: [...line.fluxes.seen] };
    rows[row].push(label);
    labels.push(label);
  }
  for (const label of labels.filter(({ fluxes }) => fluxes.length)) lengthen(label, rows, width);
  return labels;
}

// A name gets its fluxes where they fit, be it in another row.
function lengthen(label, rows, width) {
  const words = `${label.name} ${label.fluxes.join(" + ")}`;
  const wide = width(words);
  const [left, right] = [label.x - wide / 2, label.x + wide / 2];
  const fits = [label.row, 0, 1, 2].find((row) => free(rows[row], label, left, right));
  if (fits === undefined) return;
  rows[label.row].splice(rows[label.row].indexOf(label), 1);
  rows[fits].push(label);
  Object.assign(label, { left, right, words, row: fits });
}

export function drawLines(plot, canvas, lines) {
  const ratio = devicePixelRatio;
  const [left, top, height] = [plot.bbox.left, plot.bbox.top, plot.bbox.height].map((px) => px / ratio);
  canvas.style.width = `${plot.width}px`;
  canvas.style.height = `${plot.height}px`;
  const draw = sharp(canvas, plot.width, plot.height);
  draw.font = "11px system-ui, sans-serif";
  draw.textAlign = "center";
  draw.lineWidth = 0.9;
  const { min, max } = plot.scales.x;
  const seen = lines.filter((line) => line.at >= min && line.at <= max);
  for (const line of seen) line.x = plot.valToPos(line.at, "x") + left;
  draw.globalAlpha = 0.75;
  for (const line of seen) {
    draw.strokeStyle = colour(line.kind);
    draw.setLineDash(line.kind === "absorption" ? [3, 3] : []);
    draw.beginPath();
    draw.moveTo(line.x, top);
    draw.lineTo(line.x, top + height);
    draw.stroke();
  }
  draw.globalAlpha = 1;
  const width = (words) => draw.measureText(words).width;
  for (const label of named(seen, width)) {
    const half = width(label.words) / 2;
    draw.fillStyle = colour(label.kind);
    draw.fillText(
      label.words,
      Math.min(Math.max(label.x, half + 1), plot.width - half - 1),
      top - 5 - 13 * label.row,
    );
  }
}
