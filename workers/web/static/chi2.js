// chi2 of z: the curves of the three classes, and a click that chooses a minimum.

import uPlot from "./vendor/uPlot.esm.js";
import { unpack } from "./arrays.js";
import { labelWidth } from "./axes.js";
import { classColour, colour } from "./colours.js";
import { make } from "./dom.js";
import { short } from "./numbers.js";
import { size } from "./plots.js";

const POINTER_PX = 9; // how near a click must be to a minimum
const FINGER_PX = 20;

// Redshifts to stand under the curves, in ln(1+z): the usual ones, or even steps where few of those are in view.
function marks(plot) {
  const { min, max } = plot.scales.x;
  const within = (list) => list.map(Math.log1p).filter((mark) => mark >= min && mark <= max);
  const usual = within([0, 0.2, 0.5, 1, 1.5, 2, 3, 4, 5, 6]);
  if (usual.length > 3) return usual;
  const [first, last] = [Math.expm1(min), Math.expm1(max)];
  const step = 10 ** Math.floor(Math.log10((last - first) / 2));
  const wide = (last - first) / step > 6 ? 2 * step : step;
  return within(
    Array.from(
      { length: Math.ceil((last - first) / wide) + 1 },
      (_, i) => (Math.ceil(first / wide) + i) * wide,
    ),
  );
}

// Points that can be drawn: a logarithm of 1+z and a number above it.
function paired(z, chi2) {
  const good = Array.from({ length: Math.min(z.length, chi2.length) }, (_, i) => i).filter(
    (i) => z[i] > -1 && z[i] < 100 && Number.isFinite(chi2[i]),
  );
  return { z: Float32Array.from(good, (i) => z[i]), chi2: Float32Array.from(good, (i) => chi2[i]) };
}

// chi2(z): the classes on one axis of ln(1+z), as far above the least of all as a square root shows well.
export class Curves {
  constructor(box, go) {
    [this.box, this.go, this.plot] = [box, go, null];
  }

  clear(words = "") {
    this.plot?.destroy();
    this.plot = null;
    this.box.replaceChildren(make("p", { class: "nothing" }, words));
  }

  show(model, z) {
    this.plot?.destroy();
    this.box.replaceChildren();
    this.z = z;
    const curves = model.curves.map((curve) => ({
      spectype: curve.spectype,
      ...paired(unpack(curve.z, "f4"), unpack(curve.chi2, "f4")),
    }));
    if (!curves.some((curve) => curve.z.length)) return this.clear("no curves");
    const least = Math.min(...curves.map((curve) => curve.chi2.reduce((a, b) => (b < a ? b : a), Infinity)));
    this.curves = curves;
    // The curve of stars is too narrow to be seen; its deepest point is not.
    this.deepest = curves
      .filter((curve) => curve.z.length)
      .map((curve) => {
        const i = curve.chi2.reduce((best, value, at) => (value < curve.chi2[best] ? at : best), 0);
        return {
          spectype: curve.spectype,
          best: { z: curve.z[i], height: Math.sqrt(curve.chi2[i] - least) },
        };
      });
    const tables = curves.map((curve) => [
      Float64Array.from(curve.z, (value) => Math.log1p(value)),
      Array.from(curve.chi2, (value) => Math.sqrt(Math.max(value - least, 0))),
    ]);
    const data = uPlot.join(tables);
    const axes = {
      stroke: colour("muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: colour("line"), width: 0.6 },
      ticks: { stroke: colour("line"), width: 0.6 },
    };
    this.plot = new uPlot(
      {
        ...size(this.box),
        legend: { show: false },
        padding: [6, 20, 0, 0],
        scales: { x: { time: false } },
        cursor: { y: false, drag: { x: true }, points: { show: false } },
        axes: [
          {
            ...axes,
            size: 24,
            splits: marks,
            values: (plot, at) => at.map((value) => Number(Math.expm1(value).toFixed(5))),
          },
          {
            ...axes,
            size: (plot, values) => labelWidth(values ?? []) + 6,
            values: (plot, at) => at.map((value) => short(Math.round(value * value))),
          },
        ],
        series: [
          {},
          ...curves.map((curve) => ({
            stroke: classColour(curve.spectype),
            width: 1.2,
            spanGaps: true,
            points: { show: false },
          })),
        ],
        hooks: { draw: [(plot) => this.mark(plot)] },
      },
      data,
      this.box,
    );
    this.plot.over.addEventListener("click", (event) => this.clicked(event.offsetX));
  }

  at(z) {
    this.z = z;
    this.plot?.redraw(false, false);
  }

  mark(plot) {
    for (const { spectype, best } of this.deepest) {
      plot.ctx.fillStyle = classColour(spectype);
      plot.ctx.beginPath();
      plot.ctx.arc(
        plot.valToPos(Math.log1p(best.z), "x", true),
        plot.valToPos(best.height, "y", true),
        3.5 * devicePixelRatio,
        0,
        7,
      );
      plot.ctx.fill();
    }
    const x = plot.valToPos(Math.log1p(this.z), "x", true);
    plot.ctx.fillStyle = colour("model");
    plot.ctx.fillRect(x - 1, plot.bbox.top, 2, plot.bbox.height);
  }

  // The deepest minimum near the click.
  clicked(x) {
    const reach = matchMedia("(pointer: coarse)").matches ? FINGER_PX : POINTER_PX;
    const [first, last] = [x - reach, x + reach].map((at) => Math.expm1(this.plot.posToVal(at, "x")));
    let best = null;
    for (const curve of this.curves)
      for (let i = 0; i < curve.z.length; i++) {
        if (curve.z[i] >= first && curve.z[i] <= last && (!best || curve.chi2[i] < best.chi2))
          best = { chi2: curve.chi2[i], z: curve.z[i] };
      }
    if (best) this.go(best.z);
  }
}
