// The two plots of a spectrum: flux with its model above, residuals below, moving together.

import uPlot from "./vendor/uPlot.esm.js";
import { axis, digits, labelWidth, thirds } from "./axes.js";
import { colour } from "./colours.js";
import { make } from "./dom.js";
import { fluxLimits, markBeyond, residualLimits, responseLimits, visible } from "./limits.js";
import { LINE_PX, mouse } from "./mouse.js";
import { COMPONENTS } from "./state.js";
import { fingers } from "./touch.js";

const RIGHT = 24; // px right of the plots
const SCALE = 60; // the same with the response's own scale
// Told apart by the dash, too, where colours look alike; px drawn, px left out.
const DASHES = { narrow: [], continuum: [], broad: [9, 4], iron: [2, 3], response: [9, 3, 2, 3] };

const curve = (stroke, width = 1, more = {}) => ({
  stroke,
  width,
  points: { show: false },
  spanGaps: false,
  ...more,
});

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
    this.gutter = 0;
    const [flux, residual] = this.view.columns();
    this.plots = [
      new uPlot(this.above(), flux, this.boxes[0]),
      new uPlot(this.below(), residual, this.boxes[1]),
    ];
    this.over = make("canvas", { class: "over" });
    this.boxes[0].append(this.over);
    this.plots.forEach((plot) => this.listen(plot));
    this.show(...(this.view.state.window ?? this.view.span()));
  }

  refresh() {
    const window = this.view.state.window;
    this.view.columns().forEach((columns, i) => {
      this.plots[i].setData(columns, false);
      const [first, last] = window ?? this.view.span();
      this.plots[i].setScale("x", { min: first, max: last });
    });
  }

  common(hooks, cursor) {
    return {
      scales: { x: { time: false } },
      legend: { show: false },
      cursor: {
        sync: { key: "spectrum", scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        y: false,
        points: { show: false },
        ...cursor,
      },
      hooks: {
        setScale: [(plot, key) => key === "x" && this.moved(plot)],
        setSelect: [(plot) => this.selected(plot)],
        ...hooks,
      },
    };
  }

  right = () => (this.view.show("response") ? SCALE : RIGHT);

  above() {
    const { show } = this.view;
    const options = this.common(
      {
        drawAxes: [(plot) => this.view.shade(plot, true)],
        draw: [(plot) => this.drawn(plot, 2)],
        setCursor: [(plot) => this.view.hover(plot)],
      },
      {},
    );
    return {
      ...options,
      ...size(this.boxes[0]),
      padding: [46, show("response") ? 0 : RIGHT, 0, 0],
      scales: {
        ...options.scales,
        response: { range: (plot, low, high) => responseLimits(low, high) },
        y: { range: (plot) => fluxLimits(visible(plot, 2), show("model") ? visible(plot, 5) : []) },
      },
      axes: [
        axis("", { size: 26, labelSize: 0, values: digits }),
        axis(this.view.unit(), { size: (plot, values) => this.left(plot, values) }),
        axis("response", {
          scale: "response",
          side: 1,
          show: show("response"),
          size: SCALE - 18,
          grid: { show: false },
        }),
      ],
      series: [
        {},
        curve(colour("error"), 1, { show: show("error") }),
        curve(colour("flux"), 1),
        curve("transparent", 0, { show: show("model") }),
        curve("transparent", 0, { show: show("model") }),
        curve(colour("model"), 1.6, { show: show("model") }),
        curve(colour("denoised"), 1.4, { show: show("denoised") }),
        ...COMPONENTS.map((name) =>
          curve(colour(name), 1.6, {
            show: show(name),
            dash: DASHES[name].map((px) => px * devicePixelRatio),
            scale: name === "response" ? name : "y",
          }),
        ),
      ],
      bands: [{ series: [3, 4], fill: colour("model") + "3d" }],
    };
  }

  below() {
    const options = this.common(
      { drawAxes: [(plot) => this.view.shade(plot, false)], draw: [(plot) => this.drawn(plot, 1)] },
      {},
    );
    return {
      ...options,
      ...size(this.boxes[1]),
      padding: [8, this.right(), 0, 0],
      scales: { ...options.scales, y: { range: (plot) => residualLimits(visible(plot, 1)) } },
      axes: [
        axis(this.view.state.rest ? "rest wavelength (Å, vacuum)" : "wavelength (Å, vacuum)", {
          size: 30,
          values: digits,
        }),
        axis("residual / σ", { size: (plot, values) => this.left(plot, values), splits: thirds }),
      ],
      series: [{}, curve(colour("flux"), 0.9)],
    };
  }

  // The numbers left of both plots get the room that the wider ones need, so that the plots stand in line.
  left(plot, values) {
    this.gutter = Math.max(this.gutter, labelWidth(values ?? []));
    plot.gutter = this.gutter;
    return this.gutter;
  }

  drawn(plot, series) {
    markBeyond(plot, series);
    if (plot === this.plots[0]) this.drawLines();
    else this.view.name(plot);
    for (const other of this.plots)
      if (other.gutter < this.gutter)
        queueMicrotask(() => this.plots.includes(other) && other.redraw(true, true));
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
    for (const plot of this.plots)
      if (plot !== from && (plot.scales.x.min !== min || plot.scales.x.max !== max))
        plot.setScale("x", { min, max });
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 5) return;
    this.window(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  window(first, last, remembered = true) {
    const [low, high] = this.view.span();
    const wide = Math.min(Math.max(last - first, 5), high - low);
    const start = Math.min(Math.max(first, low), high - wide);
    this.view.state.window = wide > 0.999 * (high - low) ? null : [start, start + wide];
    this.show(start, start + wide);
    if (remembered) this.view.remember();
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
    const hand = this.hand(plot);
    mouse(plot.over, hand);
    fingers(plot.over, hand);
  }

  // The line nearest to a place, within reach.
  near(plot, x, reach = LINE_PX) {
    const away = (line) => Math.abs(plot.valToPos(line.at, "x") - x);
    return this.view
      .lines()
      .reduce((best, line) => (away(line) < (best ? away(best) : reach) ? line : best), undefined);
  }

  carry(plot, line, x) {
    const frame = this.view.state.rest ? 1 + this.view.state.z : 1;
    this.view.drag((plot.posToVal(x, "x") * frame) / line.rest - 1);
  }

  hand(plot) {
    return {
      range: () => plot.scales.x,
      width: () => plot.over.clientWidth,
      window: (first, last) => this.window(first, last, false),
      zoom: (factor, at) => this.zoom(factor, at),
      line: (x, reach) => (plot === this.plots[0] ? this.near(plot, x, reach) : null),
      carry: (line, x) => this.carry(plot, line, x),
      drop: () => this.view.remember(),
      read: (x) => this.plots[0].setCursor({ left: x, top: 0 }),
      all: () => this.all(),
    };
  }

  drawLines() {
    const plot = this.plots[0];
    if (plot && this.over) this.view.drawLines(plot, this.over);
  }
}

export const size = (box) => ({ width: Math.max(120, box.clientWidth), height: box.clientHeight });
