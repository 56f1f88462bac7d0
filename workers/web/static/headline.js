// A spectrum in words: where it comes from, what it is, and one pixel of it.

import { classOf } from "./colours.js";
import { $, make, say } from "./dom.js";
import { fixed, fullType, small, twoDigits } from "./numbers.js";

export function showHeadline({ classification, redshift, anomaly }, pixels) {
  say("#meta", pixels ? origin(pixels) : "");
  const chip = (style, text) => make("span", { class: style }, text);
  const chips = [];
  if (classification) {
    const { spectype, subtype } = classification;
    chips.push(chip(`cls c-${classOf(spectype)}`, fullType(spectype, subtype)));
  }
  if (redshift) {
    chips.push(chip("zed", `z = ${fixed(redshift.z, 5)} ± ${twoDigits(redshift.zerr)}`));
    chips.push(chip("muted", `S/N ${fixed(redshift.snr, 1)}`));
    for (const name of redshift.zwarn_names ?? []) chips.push(chip("chip warn", name.replaceAll("_", " ")));
    if (!redshift.zwarn) chips.push(chip("chip good", "zwarn 0"));
  }
  if (anomaly?.flagged) chips.push(chip("chip bad", "anomaly"));
  $("#answer").replaceChildren(...chips);
}

function origin(pixels) {
  const place = pixels.ra !== null && `RA ${pixels.ra.toFixed(5)} Dec ${pixels.dec.toFixed(5)}`;
  const night = pixels.mjd && `MJD ${pixels.mjd.toFixed(3)}`;
  const file = pixels.source_file && pixels.source_file.split("/").pop();
  const words = [pixels.survey, pixels.target_id, place, night, file, `${pixels.n} pixels`];
  return words.filter(Boolean).join(" · ");
}

// `fit` is the model there, null without one; `line` is the named line near the pointer, if any.
export function showPixel(pixels, i, z, fit, line) {
  const wavelength = pixels.wavelength[i];
  const words = [
    `λ ${wavelength.toFixed(2)} Å`,
    `rest ${(wavelength / (1 + z)).toFixed(2)} Å`,
    `flux ${small(pixels.flux[i])}`,
    pixels.sigma && `± ${small(pixels.sigma[i])}`,
    fit !== null && `model ${small(fit)}`,
    pixels.masked[i] && "masked",
    line && `${line.name} ${line.fluxes.words}`.trim(),
  ];
  say("#hover", words.filter(Boolean).join("   "));
}
