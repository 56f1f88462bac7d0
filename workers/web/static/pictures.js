// The small pictures of the stream view, drawn on plain canvases.

import { classColour, colour } from "./colours.js";
import { sharp } from "./dom.js";
import { smallLimits } from "./limits.js";

const FONT = "11px system-ui, sans-serif";

export function drawSeries(canvas, results, flagged) {
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  const draw = sharp(canvas, w, h);
  const top = Math.max(5, ...results) * 1.08;
  const x = (i) => (i / (results.length - 1)) * w;
  const y = (n) => h - 2 - (n / top) * (h - 6);
  draw.beginPath();
  draw.moveTo(0, h);
  results.forEach((n, i) => draw.lineTo(x(i), y(n)));
  draw.lineTo(w, h);
  draw.fillStyle = colour("accent") + "2e";
  draw.fill();
  draw.beginPath();
  results.forEach((n, i) => draw.lineTo(x(i), y(n)));
  draw.strokeStyle = colour("accent");
  draw.lineWidth = 1.4;
  draw.stroke();
  draw.fillStyle = colour("bad");
  flagged.forEach((n, i) => n && draw.fillRect(x(i) - 1, h - 4, 2, 4));
}

export function drawHistogram(canvas, { low, high, counts }, spectype) {
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  const draw = sharp(canvas, w, h);
  const most = Math.max(1, ...counts);
  const foot = 15;
  const step = w / counts.length;
  draw.fillStyle = classColour(spectype);
  counts.forEach((n, i) => {
    const tall = n ? Math.max(1.5, (n / most) * (h - foot - 12)) : 0;
    draw.fillRect(i * step + 0.5, h - foot - tall, step - 1, tall);
  });
  draw.fillStyle = colour("line");
  draw.fillRect(0, h - foot, w, 1);
  draw.fillStyle = colour("muted");
  draw.font = FONT;
  for (let i = 0; i <= 4; i += w < 200 ? 2 : 1) {
    draw.textAlign = ["left", "center", "center", "center", "right"][i];
    draw.fillText(String(Number((low + ((high - low) * i) / 4).toFixed(2))), (w * i) / 4, h - 3);
  }
  draw.textAlign = "right";
  draw.fillText(`peak ${most === 1 && !counts.some(Boolean) ? 0 : most}`, w, 9);
  canvas.setAttribute(
    "aria-label",
    `${spectype}: ${counts.reduce((a, b) => a + b, 0)} from ${low} to ${high}, peak ${most}`,
  );
}

export function drawSmall(canvas, { wavelength, flux, interval }) {
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  const draw = sharp(canvas, w, h);
  const known = flux.filter((value) => value !== null);
  if (!known.length) return;
  const [low, high] = smallLimits(known);
  const [first, last] = [wavelength[0], wavelength[wavelength.length - 1]];
  const x = (value) => ((value - first) / (last - first)) * w;
  const y = (value) => h - 4 - ((Math.min(Math.max(value, low), high) - low) / (high - low || 1)) * (h - 8);
  // What is odd all over needs no shade.
  if (interval && interval[1] - interval[0] < 0.6 * (last - first)) {
    const wide = Math.max(3, x(interval[1]) - x(interval[0]));
    draw.fillStyle = colour("shade");
    draw.fillRect((x(interval[0]) + x(interval[1]) - wide) / 2, 0, wide, h);
  }
  draw.beginPath();
  let pen = false;
  flux.forEach((value, i) => {
    if (value === null) pen = false;
    else if (pen) draw.lineTo(x(wavelength[i]), y(value));
    else {
      draw.moveTo(x(wavelength[i]), y(value));
      pen = true;
    }
  });
  draw.strokeStyle = colour("flux");
  draw.lineWidth = 1;
  draw.stroke();
}
