// The spectrum view: one spectrum with everything that is known of it, at any redshift one likes.

import { queryOf, stateOf } from "./address.js";
import { Curves } from "./chi2.js";
import { ComponentSwitches } from "./components.js";
import { columnsOf, spanOf, unpackedModel, unpackedPixels } from "./columns.js";
import { $, $$, say } from "./dom.js";
import { download } from "./download.js";
import { markBest, showBars, showBest, showOdd } from "./facts.js";
import { fetched } from "./fetched.js";
import { fluxesOf } from "./fluxes.js";
import { showHeadline, showPixel } from "./headline.js";
import { drawLines, placedLines } from "./lines.js";
import { clearMeasurement, showMeasurement } from "./measured.js";
import { showMore } from "./more.js";
import { Plots } from "./plots.js";
import { drawMask, drawReasons, drawSky, nameReasons } from "./shades.js";
import { COMPONENTS, NO_COMPONENTS, possible, scaleOf, smoothing, toggled } from "./state.js";
import { stepper } from "./stepper.js";
import { unit } from "./units.js";

export class SpectrumView {
  constructor(root, actions) {
    root.append($("#spectrum-template").content.cloneNode(true));
    this.actions = actions;
    this.plots = new Plots(this, $("#flux"), $("#residual"));
    this.curves = new Curves($("#chi2"), (z) => this.go(z));
    this.wanted = NO_COMPONENTS; // components of the model that are shown, of this spectrum and the next
    this.switches = new ComponentSwitches($("#components"), (name) => this.toggle(name));
    this.listen(root);
  }

  async open(name, query) {
    const began = performance.now();
    const { id } = name;
    this.which = name;
    this.state = stateOf(id, query, this.wanted);
    this.want();
    this.model = this.answer = this.pixels = this.found = this.measurement = null;
    this.fluxes = fluxesOf(null);
    this.early = false; // whether it was answered before the server had read everything
    say("#sid", id);
    document.title = `${id} · spectraq`;
    const found = await fetched("spectrum", name);
    if (this.which !== name) return;
    this.take(found);
    const arrived = performance.now();
    requestAnimationFrame(() =>
      setTimeout(() => {
        performance.measure("spectrum-drawn", { start: arrived, end: performance.now() });
        performance.measure("spectrum-opened", { start: began, end: performance.now() });
      }),
    );
    // The fit of these pixels, whatever has come under the same id since; what is measured may come after it.
    const these = { id, digest: found.digest };
    const model = fetched("model", these).then(
      (fit) => this.which === name && this.fit(fit),
      (error) => this.curves.clear(error.message),
    );
    if (this.actions.opened) this.actions.opened(name, found);
    await model;
    if (this.which !== name) return;
    await fetched("measurement", these).then(
      (measurement) => this.which === name && this.measured(measurement),
      (error) => this.which === name && clearMeasurement(error.message),
    );
  }

  take(found) {
    const { pixels, results, row } = found;
    this.answer = results;
    this.found = found;
    this.early = found.reading && !pixels;
    this.best = possible(results.redshift?.z ?? row?.z);
    this.state.z ??= this.best;
    if (pixels) this.pixels = unpackedPixels(pixels);
    showHeadline(results, this.pixels);
    showBars(results.classification);
    showBest(results.redshift, (z) => this.go(z));
    showOdd(results.anomaly);
    this.curves.clear(this.pixels ? "the fit is being made" : "");
    clearMeasurement(this.pixels ? "being measured" : "");
    this.buttons();
    if (COMPONENTS.some(this.show)) this.remember();
    if (this.pixels) this.plots.draw();
    else say("#hover", "The pixels of this spectrum are no longer kept; its results are.");
  }

  fit(model) {
    this.model = unpackedModel(model);
    this.curves.show(model, this.state.z);
    this.switches.show(this.state, this.model);
    if (this.pixels) this.plots.refresh();
    if (!model.same) say("#hover", "The model was made here by other networks than the answer's.");
  }

  measured(measurement) {
    this.measurement = measurement;
    this.fluxes = fluxesOf(measurement);
    showMeasurement(measurement);
    if (this.pixels) this.plots.drawLines();
  }

  columns = () => columnsOf(this.pixels, this.model, this.state);
  span = () => spanOf(this.pixels, scaleOf(this.state));
  show = (name) => this.state[name];
  want = () => (this.wanted = Object.fromEntries(COMPONENTS.map((name) => [name, this.state[name]])));
  unit = () => `flux${this.pixels.flux_unit ? ` (${unit(this.pixels.flux_unit)})` : ""}`;
  lines() {
    const { lines, z } = this.state;
    return lines ? placedLines(z, scaleOf(this.state), (name) => this.fluxes(name, z)) : [];
  }

  drawLines = (plot, canvas) => drawLines(plot, canvas, this.lines());

  shade(plot, above) {
    plot.ctx.save();
    if (this.state.sky) drawSky(plot, scaleOf(this.state));
    if (this.state.sky && above) drawMask(plot, this.pixels.runs, plot.data[0]);
    drawReasons(plot, this.reasons(), scaleOf(this.state));
    plot.ctx.restore();
  }

  name = (plot) => nameReasons(plot, this.reasons(), scaleOf(this.state));
  reasons = () => this.answer.anomaly?.reasons ?? [];

  hover(plot) {
    const i = plot.cursor.idx;
    if (i === null || i === undefined) return;
    const line = this.plots.near(plot, plot.cursor.left);
    showPixel(this.pixels, i, this.state.z, plot.data[5][i], line);
  }

  // Many moves of the pointer may come for one frame of the screen; the last one counts.
  drag(z) {
    const began = performance.now();
    this.state.z = Math.max(-0.01, possible(z));
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.moved();
      performance.measure("pointer-answered", { start: began, end: performance.now() });
    });
  }

  go(z) {
    this.state.z = possible(z);
    this.moved();
    this.remember();
  }

  // The redshift by a number of small steps.
  step(n) {
    this.go(this.state.z + n * 1e-4 * (1 + this.state.z));
  }

  moved() {
    const box = $("#z");
    if (document.activeElement !== box) box.value = this.state.z.toFixed(5);
    this.curves.at(this.state.z);
    markBest(this.state.z);
    if (this.pixels) this.plots.refresh();
  }

  toggle(name) {
    toggled(this.state, name);
    this.want();
    this.buttons();
    if (this.pixels) this.plots.draw();
    this.remember();
  }

  smooth(width) {
    this.state.smooth = smoothing(width);
    this.buttons();
    if (this.pixels) this.plots.refresh();
    this.remember();
  }

  reset() {
    Object.assign(this.state, { z: this.best, window: null });
    this.moved();
    this.plots.all();
  }

  buttons() {
    for (const button of $$("[data-toggle]"))
      button.setAttribute("aria-pressed", String(!!this.state[button.dataset.toggle]));
    this.switches.show(this.state, this.model);
    $("#smooth").value = this.state.smooth;
    say("#smooth-value", this.state.smooth);
    $("#z").value = (this.state.z ?? 0).toFixed(5);
    markBest(this.state.z ?? 0);
  }

  repaint = () => {
    if (!this.pixels) return;
    this.plots.draw();
    if (this.model) this.curves.show(this.model, this.state.z);
  };

  remember() {
    history.replaceState(history.state, "", `/?${queryOf(this.state, this.which.digest, this.best)}`);
  }

  listen(root) {
    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-toggle], [data-do]");
      if (!button) return;
      if (button.dataset.toggle) this.toggle(button.dataset.toggle);
      else this.act(button.dataset.do);
    });
    for (const button of $$("[data-step]"))
      stepper(button, (steps) => this.step(steps * Number(button.dataset.step)));
    showMore($(".tools"));
    $("#smooth").addEventListener("input", (event) => this.smooth(Number(event.target.value)));
    $("#z").addEventListener(
      "input",
      (event) => Number.isFinite(event.target.valueAsNumber) && this.go(event.target.valueAsNumber),
    );
  }

  act(name) {
    if (name === "reset") this.reset();
    else if (["png", "csv", "json"].includes(name)) download(name, this);
    else if (name === "link")
      navigator.clipboard?.writeText(location.href).then(() => say("#hover", "The link is copied."));
    else this.actions[name]();
  }
}
