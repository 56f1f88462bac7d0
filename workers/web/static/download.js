// What a person takes away: a picture, a table, or everything as JSON.

import { colour } from "./colours.js";
import { make } from "./dom.js";
import { fixed, fullType } from "./numbers.js";
import { COMPONENTS } from "./state.js";

export function download(kind, view) {
  if (kind === "json") json(view);
  else if (kind === "csv" && view.pixels) csv(view);
  else if (kind === "png" && view.pixels) png(view);
}

function json(view) {
  const { pixels, answer, state, found, model, measurement } = view;
  const plain = (array) => array && Array.from(array, (value) => (Number.isFinite(value) ? value : null));
  const all = {
    spectrum_id: state.id,
    ...answer,
    measurement,
    verdicts: found.verdicts,
    wavelength: plain(pixels?.wavelength),
    flux: plain(pixels?.flux),
    sigma: plain(pixels?.sigma),
    masked: plain(pixels?.masked),
    flux_unit: pixels?.flux_unit,
    model: model && {
      z: model.z,
      loglam0: model.loglam0,
      dloglam: model.dloglam,
      flux: plain(model.flux),
      sigma: plain(model.sigma),
      denoised: plain(model.denoised),
      ...Object.fromEntries(COMPONENTS.map((name) => [name, plain(model[name])])),
    },
  };
  save(`${state.id}.json`, JSON.stringify(all), "application/json");
}

function csv(view) {
  const [[, , , , , ...curves]] = view.columns(); // model, denoised, then the components
  const { wavelength, flux, sigma, masked } = view.pixels;
  const cell = (value) => (Number.isFinite(value) ? Number(value.toPrecision(7)) : "");
  const rows = Array.from(wavelength, (value, i) =>
    [
      value.toFixed(4),
      cell(flux[i]),
      sigma ? cell(sigma[i]) : "",
      masked[i],
      ...curves.map((curve) => cell(curve[i] ?? NaN)),
    ].join(","),
  );
  save(
    `${view.state.id}.csv`,
    [["wavelength_vac_angstrom,flux,sigma,masked,model,denoised", ...COMPONENTS].join(","), ...rows, ""].join(
      "\n",
    ),
    "text/csv",
  );
}

function png(view) {
  const [above, below] = view.plots.plots.map((plot) => plot.ctx.canvas);
  const canvas = document.createElement("canvas");
  const head = 34 * devicePixelRatio;
  [canvas.width, canvas.height] = [above.width, above.height + below.height + head];
  const draw = canvas.getContext("2d");
  draw.fillStyle = colour("panel");
  draw.fillRect(0, 0, canvas.width, canvas.height);
  draw.fillStyle = colour("ink");
  draw.font = `${15 * devicePixelRatio}px system-ui, sans-serif`;
  const { classification, redshift } = view.answer;
  const words =
    classification && redshift
      ? `   ${fullType(classification.spectype, classification.subtype)}   z = ${fixed(redshift.z, 5)}`
      : "";
  draw.fillText(view.state.id + words, 12 * devicePixelRatio, 23 * devicePixelRatio);
  draw.drawImage(above, 0, head);
  draw.drawImage(view.plots.over, 0, head);
  draw.drawImage(below, 0, head + above.height);
  canvas.toBlob((blob) => save(`${view.state.id}.png`, blob));
}

function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = make("a", { href: URL.createObjectURL(blob), download: name.replace(/[^\w.+-]+/g, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
