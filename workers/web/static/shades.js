// What lies behind and over the curves: masked runs, sky, anomalous intervals with their names.

import { colour } from "./colours.js";
import { AIRGLOW, TELLURIC } from "./constants.js"; // written by the server, from models/lines.py

const FONT = (ratio) => `${11 * ratio}px system-ui, sans-serif`;

function stripe(plot, first, last, fill, least = 1) {
  const { left, top, width, height } = plot.bbox;
  const a = Math.max(left, plot.valToPos(first, "x", true));
  const b = Math.min(left + width, plot.valToPos(last, "x", true));
  if (b < left || a > left + width) return null;
  plot.ctx.fillStyle = fill;
  const wide = Math.max(b - a, least);
  plot.ctx.fillRect(a, top, wide, height);
  return { at: a + wide / 2, wide };
}

export function drawSky(plot, scale) {
  for (const [first, last] of AIRGLOW) stripe(plot, first / scale, last / scale, colour("accent") + "26");
  plot.ctx.font = FONT(devicePixelRatio);
  plot.ctx.textAlign = "center";
  for (const [name, first, last] of TELLURIC) {
    const seen = stripe(plot, first / scale, last / scale, colour("muted") + "1f");
    if (!seen || seen.wide < 22 * devicePixelRatio) continue;
    plot.ctx.fillStyle = colour("muted");
    const half = plot.ctx.measureText(`⊕ ${name}`).width / 2;
    plot.ctx.fillText(
      `⊕ ${name}`,
      Math.max(Math.min(seen.at, plot.bbox.left + plot.bbox.width - half), plot.bbox.left + half),
      plot.bbox.top + plot.bbox.height - 5 * devicePixelRatio,
    );
  }
}

export function drawMask(plot, masked, x) {
  const { top, height } = plot.bbox;
  plot.ctx.fillStyle = colour("star");
  for (const [first, last] of masked) {
    const a = plot.valToPos(x[first], "x", true);
    const b = plot.valToPos(x[last], "x", true);
    if (b < plot.bbox.left || a > plot.bbox.left + plot.bbox.width) continue;
    const from = Math.max(a, plot.bbox.left);
    plot.ctx.fillRect(
      from,
      top + height - 4 * devicePixelRatio,
      Math.max(Math.min(b, plot.bbox.left + plot.bbox.width) - from, 1),
      4 * devicePixelRatio,
    );
  }
}

export function drawReasons(plot, reasons, scale) {
  const { min, max } = plot.scales.x;
  for (const reason of reasons) {
    const ends = [reason.wavelength_min / scale, reason.wavelength_max / scale];
    // What concerns nearly all that is in view marks no place in it.
    const covered = (Math.min(ends[1], max) - Math.max(ends[0], min)) / (max - min);
    if (covered <= 0.8) stripe(plot, ...ends, colour("shade"), 4 * devicePixelRatio);
  }
}

// Names stand over the curves, on the panel's own ground, beside what they name.
export function nameReasons(plot, reasons, scale) {
  const { ctx, bbox } = plot;
  const [ratio, right] = [devicePixelRatio, bbox.left + bbox.width];
  ctx.save();
  ctx.font = FONT(ratio);
  ctx.textAlign = "left";
  reasons.forEach((reason, i) => {
    const [first, last] = [reason.wavelength_min, reason.wavelength_max].map((at) =>
      plot.valToPos(at / scale, "x", true),
    );
    if (last < bbox.left || first > right) return;
    const words = reason.kind.replaceAll("_", " ");
    const wide = ctx.measureText(words).width;
    const beside = last + 8 * ratio + wide < right ? last + 8 * ratio : first - 8 * ratio - wide;
    const at = Math.min(Math.max(beside, bbox.left + 6 * ratio), right - wide - 6 * ratio);
    const y = bbox.top + (14 + 15 * (i % 3)) * ratio;
    ctx.globalAlpha = 0.85;
    ctx.fillStyle = colour("panel");
    ctx.fillRect(at - 3 * ratio, y - 11 * ratio, wide + 6 * ratio, 14 * ratio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colour("bad");
    ctx.fillText(words, at, y);
  });
  ctx.restore();
}
