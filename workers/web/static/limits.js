// How high a plot reaches: as far as the spectrum goes, not as far as single wild pixels do; these are marked at the edge.

import { percentiles } from "./arrays.js";
import { colour } from "./colours.js";

const MARK = 5; // half the width of a mark, px

// Least and greatest, and where bulk ends: half as far beyond the 2nd and 98th percentile as these lie apart. All of
// Gaussian noise lies within.
function bulk(values) {
  const [least, low, high, greatest] = percentiles(values, 0, 0.02, 0.98, 1);
  const room = 0.5 * (high - low) || 0.5 * Math.abs(high) || 1;
  return { least, below: low - room, above: high + room, greatest, reach: 5 * (high - low + 2 * room) };
}

// Limits of a small plot of means: a line may be one of its points, so height alone can tell it from a spike.
export function smallLimits(means) {
  const { least, below, above, greatest, reach } = bulk(means);
  return [Math.max(least, below), Math.min(greatest, above + reach)];
}

// Lines are several pixels wide and spikes are not: the median of five neighbours keeps lines alone.
function steady(values) {
  const out = Float64Array.from(values);
  for (let i = 2; i < values.length - 2; i++) {
    const [a, b, c, d, e] = [values[i - 2], values[i - 1], values[i], values[i + 1], values[i + 2]];
    const [f, g] = [Math.max(Math.min(a, b), Math.min(c, d)), Math.min(Math.max(a, b), Math.max(c, d))];
    out[i] = Math.max(Math.min(f, g), Math.min(e, Math.max(f, g)));
  }
  return out;
}

// Limits of the flux: its bulk, its lines unless they dwarf it, the model, and zero where flux is positive. Light
// is never negative, so below zero there are no lines, but noise alone.
export function fluxLimits(flux, model) {
  if (!flux.length) return [0, 1];
  const { least, below, above, greatest, reach } = bulk(flux);
  const [lines] = percentiles(steady(flux), 0.999);
  let high = Math.min(greatest, Math.max(above, Math.min(lines, above + reach)));
  let low = Math.max(least, below);
  if (model.length) {
    const [under, over] = percentiles(model, 0.01, 1);
    [low, high] = [Math.min(low, under), Math.max(high, over)];
  }
  low = Math.min(low, 0.05 * high);
  const room = (high - low || 1) * 0.06;
  return [low - room, high + 1.6 * room];
}

// Limits of a response: one in the middle, and 2 % about it at the least, so that nothing is not drawn as something.
export function responseLimits(low, high) {
  const reach = 1.1 * Math.max(0.02, 1 - (low ?? 1), (high ?? 1) - 1);
  return [1 - reach, 1 + reach];
}

// Limits of the residual, even about zero; noise of its own has 5 sigma.
export function residualLimits(values) {
  const [most, greatest] = percentiles(values.map(Math.abs), 0.98, 1);
  const reach = Math.max(5, Math.min(1.1 * greatest, 2 * most));
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
    const [edge, foot] =
      way === "up"
        ? [bbox.top, bbox.top + 1.4 * size]
        : [bbox.top + bbox.height, bbox.top + bbox.height - 1.4 * size];
    ctx.beginPath();
    ctx.moveTo(at, edge);
    ctx.lineTo(at - size, foot);
    ctx.lineTo(at + size, foot);
    ctx.fill();
  }
  ctx.restore();
}
