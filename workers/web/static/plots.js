// The two plots of a spectrum: flux with its model above, residuals below, moving together.

import uPlot from "./vendor/uPlot.esm.js";
import { percentile } from "./arrays.js";
import { colour, make } from "./dom.js";

const FONT = "12px system-ui, sans-serif";
const MARGIN = 62; // left of both plots, so that they stand in line

function axis(label, options = {}) {
  return { stroke: colour("muted"), font: FONT, labelFont: FONT, label, labelSize: 18, grid: { stroke: colour("line"), width: 0.6 }, ticks: { stroke: colour("line"), width: 0.6 }, ...options };
}

const line = (stroke, width = 1, more = {}) => ({ stroke, width, points: { show: false }, spanGaps: false, ...more });

export class Plots {
  constructor(view, above, below) {
    this.view = view; // owner: gives data, shades and lines, hears of ranges
    this.boxes = [above, below];
    this.sync = uPlot.sync("spectrum");
    this.plots = [];
    this.watch = new ResizeObserver(() => this.plots.forEach((plot, i) => plot.setSize(size(this.boxes[i]))));
    this.boxes.forEach((box) => this.watch.observe(box));
  }

  draw() {
    this.plots.forEach((plot) => plot.destroy());
    this.boxes.forEach((box) => box.replaceChildren());
    const [flux, residual] = this.view.columns();
    this.plots = [new uPlot(this.above(), flux, this.boxes[0]), new uPlot(this.below(), residual, this.boxes[1])];
    this.over = make("canvas", { class: "over" });
    this.boxes[0].append(this.over);
    this.plots.forEach((plot) => this.listen(plot));
    this.show(...(this.view.state.window ?? this.view.span()));
    this.drawLines();
  }

  refresh() {
    const window = this.view.state.window;
    this.view.columns().forEach((columns, i) => {
      this.plots[i].setData(columns, false);
      const [first, last] = window ?? this.view.span();
      this.plots[i].setScale("x", { min: first, max: last });
    });
    this.drawLines();
  }

  common(hooks, cursor) {
    return {
      scales: { x: { time: false } },
      legend: { show: false },
      cursor: { sync: { key: "spectrum", scales: ["x", null] }, drag: { x: true, y: false, setScale: false }, y: false, points: { show: false }, ...cursor },
      hooks: { setScale: [(plot, key) => key === "x" && this.moved(plot)], setSelect: [(plot) => this.selected(plot)], ...hooks },
    };
  }

  above() {
    const { show } = this.view;
    const options = this.common({ drawAxes: [(plot) => this.view.shade(plot, true)], setCursor: [(plot) => this.view.hover(plot)] }, {});
    return {
      ...options,
      ...size(this.boxes[0]),
      padding: [46, 20, 0, 0],
      scales: { ...options.scales, y: { range: (plot) => this.heights(plot) } },
      axes: [axis("", { size: 26, labelSize: 0 }), axis(this.view.unit(), { size: MARGIN - 18 })],
      series: [
        {},
        line(colour("error"), 1, { show: show("error") }),
        line(colour("flux"), 1),
        line("transparent", 0, { show: show("model") }),
        line("transparent", 0, { show: show("model") }),
        line(colour("model"), 1.6, { show: show("model") }),
        line(colour("denoised"), 1.4, { show: show("denoised") }),
      ],
      bands: [{ series: [3, 4], fill: colour("model") + "3d" }],
    };
  }

  below() {
    const options = this.common({ drawAxes: [(plot) => this.view.shade(plot, false)], draw: [(plot) => this.view.name(plot)] }, {});
    return {
      ...options,
      ...size(this.boxes[1]),
      padding: [4, 20, 0, 0],
      scales: { ...options.scales, y: { range: (plot) => tall(visible(plot, 1)) } },
      axes: [axis(this.view.state.rest ? "rest wavelength (Å, vacuum)" : "wavelength (Å, vacuum)", { size: 30 }), axis("residual / σ", { size: MARGIN - 18 })],
      series: [{}, line(colour("flux"), 0.9)],
    };
  }

  // The flux as far as it goes in the window, but not to single wild pixels.
  heights(plot) {
    const flux = visible(plot, 2);
    if (!flux.length) return [0, 1];
    const models = this.view.show("model") ? visible(plot, 5) : [];
    const high = Math.max(percentile(flux, 0.998), models.length ? percentile(models, 1) : -Infinity);
    const low = Math.min(percentile(flux, 0.004), 0.05 * high);
    const room = (high - low || 1) * 0.06;
    return [low - room, high + 1.6 * room];
  }

  show(first, last) {
    this.plots.forEach((plot) => plot.setScale("x", { min: first, max: last }));
  }

  all() {
    this.view.state.window = null;
    this.show(...this.view.span());
    this.view.remember();
  }

  moved(from) {
    const { min, max } = from.scales.x;
    for (const plot of this.plots) if (plot !== from && (plot.scales.x.min !== min || plot.scales.x.max !== max)) plot.setScale("x", { min, max });
    if (from === this.plots[0]) this.drawLines();
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 5) return;
    this.window(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  window(first, last) {
    const [low, high] = this.view.span();
    const wide = Math.min(Math.max(last - first, 5), high - low);
    const start = Math.min(Math.max(first, low), high - wide);
    this.view.state.window = wide > 0.999 * (high - low) ? null : [start, start + wide];
    this.show(start, start + wide);
    this.view.remember();
  }

  zoom(factor, at = 0.5) {
    const { min, max } = this.plots[0].scales.x;
    const middle = min + at * (max - min);
    this.window(middle - (middle - min) * factor, middle + (max - middle) * factor);
  }

  pan(share) {
    const { min, max } = this.plots[0].scales.x;
    this.window(min + share * (max - min), max + share * (max - min));
  }

  listen(plot) {
    const over = plot.over;
    over.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 0.8 : 1.25, event.offsetX / over.clientWidth);
    }, { passive: false });
    over.addEventListener("dblclick", (event) => {
      event.stopImmediatePropagation();
      this.all();
    }, true);
    over.addEventListener("mousedown", (event) => this.grab(plot, event), true);
    if (plot === this.plots[0]) over.addEventListener("mousemove", (event) => over.classList.toggle("grab", !!this.near(plot, event.offsetX)));
  }

  near(plot, x) {
    return this.view.lines().find((one) => Math.abs(plot.valToPos(one.at, "x") - x) < 5);
  }

  // A line is dragged in z; with shift held, the window is dragged.
  grab(plot, event) {
    const held = plot === this.plots[0] && !event.shiftKey ? this.near(plot, event.offsetX) : null;
    if (!held && !event.shiftKey) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const left = plot.over.getBoundingClientRect().left;
    const [start, began] = [event.clientX, { ...plot.scales.x }];
    const frame = this.view.state.rest ? 1 + this.view.state.z : 1;
    const move = (next) => {
      if (held) this.view.drag(((plot.posToVal(next.clientX - left, "x") * frame) / held.rest) - 1);
      else this.window(began.min - ((next.clientX - start) / plot.over.clientWidth) * (began.max - began.min), began.max - ((next.clientX - start) / plot.over.clientWidth) * (began.max - began.min));
    };
    const drop = () => {
      removeEventListener("mousemove", move);
      this.view.remember();
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", drop, { once: true });
  }

  drawLines() {
    const plot = this.plots[0];
    if (plot && this.over) this.view.drawLines(plot, this.over);
  }
}

export const size = (box) => ({ width: Math.max(120, box.clientWidth), height: box.clientHeight });

function visible(plot, series) {
  const { min, max } = plot.scales.x;
  const [x, y] = [plot.data[0], plot.data[series]];
  const out = new Float64Array(x.length);
  let n = 0;
  for (let i = 0; i < x.length; i++) if (x[i] >= min && x[i] <= max && y[i] !== null) out[n++] = y[i];
  return out.subarray(0, n);
}

function tall(values) {
  const reach = Math.max(5, 1.15 * percentile(values.map(Math.abs), 0.999));
  return [-reach, reach];
}
