// The spectrum view: one spectrum with everything that is known of it, at any redshift one likes.

import { possible, queryOf, stateOf } from "./address.js";
import { gapped, resampled, runs, smoothed } from "./arrays.js";
import { $, $$, classOf, get, kind, say } from "./dom.js";
import { download } from "./download.js";
import { Curves, markBest, showBars, showBest, showOdd } from "./facts.js";
import { error, fixed, small, unpack } from "./numbers.js";
import { showMore } from "./more.js";
import { Plots } from "./plots.js";
import { drawLines, drawMask, drawReasons, drawSky, nameReasons, placedLines } from "./shades.js";
import { stepper } from "./stepper.js";
import { unit } from "./units.js";

const kept = new Map(); // answers of the server, so that stepping back and forth waits for nothing

const keyOf = (kind, { id, digest }) => `${kind} ${digest} ${id}`;

export async function fetched(kind, name) {
  const key = keyOf(kind, name);
  if (!kept.has(key)) {
    const asked = get(kind, name);
    kept.set(key, asked);
    asked.catch(() => kept.delete(key));
    if (kept.size > 24) kept.delete(kept.keys().next().value);
  }
  return kept.get(key);
}

export const forget = (name) => ["spectrum", "model"].forEach((kind) => kept.delete(keyOf(kind, name)));

export class SpectrumView {
  constructor(root, actions) {
    root.append($("#spectrum-template").content.cloneNode(true));
    this.actions = actions;
    this.plots = new Plots(this, $("#flux"), $("#residual"));
    this.curves = new Curves($("#chi2"), (z) => this.go(z));
    this.listen(root);
  }

  async open(name, query) {
    const began = performance.now();
    const { id } = name;
    this.which = name;
    this.state = stateOf(id, query);
    this.model = this.answer = this.pixels = this.found = null;
    this.early = false; // whether it was answered before the server had read everything
    say("#sid", id);
    document.title = `${id} · spectraq`;
    const found = await fetched("spectrum", name);
    if (this.which !== name) return;
    this.take(found);
    const arrived = performance.now();
    requestAnimationFrame(() => setTimeout(() => {
      performance.measure("spectrum-drawn", { start: arrived, end: performance.now() });
      performance.measure("spectrum-opened", { start: began, end: performance.now() });
    }));
    // The fit of these pixels, whatever has come under the same id since.
    const model = fetched("model", { id, digest: found.digest }).then((fit) => this.which === name && this.fit(fit), (error) => this.curves.clear(error.message));
    if (this.actions.opened) this.actions.opened(name, found);
    await model;
  }

  take(found) {
    const { pixels, results, row } = found;
    this.answer = results;
    this.found = found;
    this.early = found.reading && !pixels;
    this.best = possible(results.redshift?.z ?? row?.z);
    this.state.z ??= this.best;
    if (pixels) {
      const sigma = pixels.sigma ? unpack(pixels.sigma, "f4") : null;
      const masked = unpack(pixels.masked, "u1");
      this.pixels = { ...pixels, wavelength: unpack(pixels.wavelength, "f8"), flux: unpack(pixels.flux, "f4"), sigma, masked };
      this.pixels.weights = Float64Array.from(masked, (hidden, i) => (hidden ? 0 : sigma ? 1 / sigma[i] ** 2 : 1));
      this.pixels.runs = runs(masked);
    }
    this.words();
    showBars(results.classification);
    showBest(results.redshift, (z) => this.go(z));
    showOdd(results.anomaly);
    this.curves.clear(this.pixels ? "the fit is being made" : "");
    this.buttons();
    if (this.pixels) this.plots.draw();
    else say("#hover", "The pixels of this spectrum are no longer kept; its results are.");
  }

  fit(model) {
    const floats = Object.fromEntries(["flux", "sigma", "denoised"].map((name) => [name, unpack(model[name], "f4")]));
    this.model = { ...model, ...floats };
    this.curves.show(model, this.state.z);
    if (this.pixels) this.plots.refresh();
    if (!model.same) say("#hover", "The model was made here by other networks than the answer's.");
  }

  words() {
    const { classification, redshift, anomaly } = this.answer;
    const { pixels } = this;
    const place = pixels && pixels.ra !== null ? `RA ${pixels.ra.toFixed(5)} Dec ${pixels.dec.toFixed(5)}` : "";
    const source = pixels?.source_file ? pixels.source_file.split("/").pop() : "";
    say("#meta", [pixels?.survey, pixels?.target_id, place, pixels?.mjd && `MJD ${pixels.mjd.toFixed(3)}`, source, pixels && `${pixels.n} pixels`].filter(Boolean).join(" · "));
    const box = $("#answer");
    box.replaceChildren();
    const put = (kind, text) => box.append(Object.assign(document.createElement("span"), { className: kind, textContent: text }));
    if (classification) put(`cls c-${classOf(classification.spectype)}`, kind(classification.spectype, classification.subtype));
    if (redshift) put("zed", `z = ${fixed(redshift.z, 5)} ± ${error(redshift.zerr)}`);
    if (redshift) put("muted", `S/N ${fixed(redshift.snr, 1)}`);
    for (const name of redshift?.zwarn_names ?? []) put("chip warn", name.replaceAll("_", " "));
    if (redshift && !redshift.zwarn) put("chip good", "zwarn 0");
    if (anomaly?.flagged) put("chip bad", "anomaly");
  }

  // What the plots draw: x, error, flux, model + 1 sigma, model - 1 sigma, model, denoised; and x, residual.
  columns() {
    const { pixels, model, state } = this;
    const scale = this.scale();
    const x = Float64Array.from(pixels.wavelength, (value) => value / scale);
    const flux = smoothed(pixels.flux, pixels.weights, state.smooth);
    const hidden = state.smooth ? null : pixels.masked;
    const none = new Array(x.length).fill(null);
    const error = pixels.sigma ? gapped(pixels.sigma, pixels.masked) : none;
    if (!model) return [[x, error, gapped(flux, hidden), none, none, none, none], [x, none]];
    const shifted = { loglam0: model.loglam0 + Math.log10((1 + state.z) / (1 + model.z)), dloglam: model.dloglam };
    const fit = resampled(pixels.wavelength, shifted, model.flux);
    const sigma = resampled(pixels.wavelength, shifted, model.sigma);
    const denoised = model.denoised.length ? gapped(resampled(pixels.wavelength, model, model.denoised)) : none;
    const residual = pixels.flux.map((value, i) => (value - fit[i]) / (pixels.sigma ? pixels.sigma[i] : 1));
    const ones = Float64Array.from(pixels.masked, (masked, i) => (masked || !Number.isFinite(residual[i]) ? 0 : 1));
    const seen = smoothed(residual.map((value) => (Number.isFinite(value) ? value : 0)), ones, state.smooth);
    return [
      [x, error, gapped(flux, hidden), gapped(fit.map((value, i) => value + sigma[i])), gapped(fit.map((value, i) => value - sigma[i])), gapped(fit), denoised],
      [x, gapped(seen, state.smooth ? null : ones.map((one) => 1 - one))],
    ];
  }

  // From the first good pixel to the last: padding at the ends is nothing to look at.
  span() {
    const { wavelength, masked } = this.pixels;
    const [first, last] = [masked.indexOf(0), masked.lastIndexOf(0)];
    const [low, high] = [wavelength[Math.max(first, 0)], wavelength[last < 0 ? wavelength.length - 1 : last]].map((value) => value / this.scale());
    return high > low ? [low, high] : [low - 1, low + 1];
  }

  scale = () => (this.state.rest ? 1 + this.state.z : 1);
  show = (name) => this.state[name];
  unit = () => `flux${this.pixels.flux_unit ? ` (${unit(this.pixels.flux_unit)})` : ""}`;
  lines = () => (this.state.lines ? placedLines(this.state.z, this.scale()) : []);
  drawLines = (plot, canvas) => drawLines(plot, canvas, this.lines());

  shade(plot, above) {
    plot.ctx.save();
    if (this.state.sky) drawSky(plot, this.scale());
    if (this.state.sky && above) drawMask(plot, this.pixels.runs, plot.data[0]);
    drawReasons(plot, this.reasons(), this.scale());
    plot.ctx.restore();
  }

  name = (plot) => nameReasons(plot, this.reasons(), this.scale());
  reasons = () => this.answer.anomaly?.reasons ?? [];

  hover(plot) {
    const i = plot.cursor.idx;
    if (i === null || i === undefined) return;
    const { pixels } = this;
    const near = this.plots.near(plot, plot.cursor.left);
    const at = pixels.wavelength[i];
    const fit = plot.data[5][i];
    say("#hover", [`λ ${at.toFixed(2)} Å`, `rest ${(at / (1 + this.state.z)).toFixed(2)} Å`, `flux ${small(pixels.flux[i])}`, pixels.sigma && `± ${small(pixels.sigma[i])}`, fit !== null && `model ${small(fit)}`, pixels.masked[i] && "masked", near && near.name].filter(Boolean).join("   "));
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
    const middle = this.state.window && this.state.window.map((value) => (value * this.scale()));
    this.state[name] = !this.state[name];
    if (name === "rest" && middle) this.state.window = middle.map((value) => value / this.scale());
    this.buttons();
    if (this.pixels) this.plots.draw();
    this.remember();
  }

  smooth(width) {
    this.state.smooth = Math.min(Math.max(width, 0), 20);
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
    for (const button of $$("[data-toggle]")) button.setAttribute("aria-pressed", String(!!this.state[button.dataset.toggle]));
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
    for (const button of $$("[data-step]")) stepper(button, (steps) => this.step(steps * Number(button.dataset.step)));
    showMore($(".tools"));
    $("#smooth").addEventListener("input", (event) => this.smooth(Number(event.target.value)));
    $("#z").addEventListener("input", (event) => Number.isFinite(event.target.valueAsNumber) && this.go(event.target.valueAsNumber));
  }

  act(name) {
    if (name === "reset") this.reset();
    else if (["png", "csv", "json"].includes(name)) download(name, this);
    else if (name === "link") navigator.clipboard?.writeText(location.href).then(() => say("#hover", "The link is copied."));
    else this.actions[name]();
  }
}
