// How high a plot reaches: as far as the spectrum goes, not as far as single wild pixels do; these are marked at the edge.

import { percentile } from "./arrays.js";
import { colour } from "./dom.js";

const MARK = 5; // half the width of a mark, px
const LINES = 5; // lines may be so many times as high as the bulk reaches

// From the 2nd to the 98th percentile and half as far again on either side: all of Gaussian noise lies within.
export function fences(values) {
  const [low, high] = [percentile(values, 0.02), percentile(values, 0.98)];
  const room = 0.5 * (high - low) || 0.5 * Math.abs(high) || 1;
  return [low - room, high + room];
}

// Limits of a small plot of means: a line may be one of its points, so height alone can tell it from a spike.
export function smallLimits(means) {
  const [below, above] = fences(means);
  return [Math.max(percentile(means, 0), below), Math.min(percentile(means, 1), above + LINES * (above - below))];
}

// Lines are several pixels wide and spikes are not: the median of five neighbours keeps the ones alone.
function steady(values) {
  const out = Float64Array.from(values);
  for (let i = 2; i < values.length - 2; i++) out[i] = values.slice(i - 2, i + 3).sort()[2];
  return out;
}

// Limits of the flux: its bulk, its lines unless they dwarf it, the model, and zero where flux is positive. Light
// is never negative, so below zero there are no lines, but noise alone.
export function fluxLimits(flux, model) {
  if (!flux.length) return [0, 1];
  const [below, above] = fences(flux);
  const lines = Math.min(percentile(steady(flux), 0.999), above + LINES * (above - below));
  let high = Math.min(percentile(flux, 1), Math.max(above, lines));
  let low = Math.max(percentile(flux, 0), below);
  if (model.length) [low, high] = [Math.min(low, percentile(model, 0.01)), Math.max(high, percentile(model, 1))];
  low = Math.min(low, 0.05 * high);
  const room = (high - low || 1) * 0.06;
  return [low - room, high + 1.6 * room];
}

// Limits of the residual, even about zero; noise of its own has 5 sigma.
export function residualLimits(values) {
  const sizes = values.map(Math.abs);
  const reach = Math.max(5, Math.min(1.1 * percentile(sizes, 1), 2 * percentile(sizes, 0.98)));
  return [-reach, reach];
}

export function visible(plot, series) {
  const { min, max } = plot.scales.x;
  const [x, y] = [plot.data[0], plot.data[series]];
  const out = new Float64Array(x.length);
  let n = 0;
  for (let i = 0; i < x.length; i++) if (x[i] >= min && x[i] <= max && y[i] !== null) out[n++] = y[i];
  return out.subarray(0, n);
}

// Triangles at the edge where a curve goes on beyond it; those that would stand upon each other are one.
export function markBeyond(plot, series) {
  const { ctx, bbox } = plot;
  const { min, max } = plot.scales.x;
  const { min: low, max: high } = plot.scales.y;
  const [x, y] = [plot.data[0], plot.data[series]];
  const size = MARK * devicePixelRatio;
  const last = { up: -Infinity, down: -Infinity };
  ctx.save();
  ctx.fillStyle = colour("bad");
  for (let i = 0; i < x.length; i++) {
    if (y[i] === null || x[i] < min || x[i] > max || (y[i] <= high && y[i] >= low)) continue;
    const way = y[i] > high ? "up" : "down";
    const at = plot.valToPos(x[i], "x", true);
    if (at - last[way] < 2 * size) continue;
    last[way] = at;
    const [edge, foot] = way === "up" ? [bbox.top, bbox.top + 1.4 * size] : [bbox.top + bbox.height, bbox.top + bbox.height - 1.4 * size];
    ctx.beginPath();
    ctx.moveTo(at, edge);
    ctx.lineTo(at - size, foot);
    ctx.lineTo(at + size, foot);
    ctx.fill();
  }
  ctx.restore();
}
