// Arrays of one spectrum: unpacked from the server's answers, and as the plots draw them.

import { gapped, resampled, runs, smoothed, unpack } from "./arrays.js";
import { COMPONENTS, scaleOf } from "./state.js";

export function unpackedPixels(pixels) {
  const sigma = pixels.sigma ? unpack(pixels.sigma, "f4") : null;
  const masked = unpack(pixels.masked, "u1");
  return {
    ...pixels,
    wavelength: unpack(pixels.wavelength, "f8"),
    flux: unpack(pixels.flux, "f4"),
    sigma,
    masked,
    weights: Float64Array.from(masked, (hidden, i) => (hidden ? 0 : sigma ? 1 / sigma[i] ** 2 : 1)),
    runs: runs(masked),
  };
}

export function unpackedModel(model) {
  const floats = ["flux", "sigma", "denoised", ...COMPONENTS]
    .filter((name) => model[name])
    .map((name) => [name, unpack(model[name], "f4")]);
  return { ...model, ...Object.fromEntries(floats) };
}

// x, error, flux, model + 1 sigma, model - 1 sigma, model, denoised, then the components; and x, residual.
export function columnsOf(pixels, model, state) {
  const scale = scaleOf(state);
  const x = Float64Array.from(pixels.wavelength, (value) => value / scale);
  const flux = smoothed(pixels.flux, pixels.weights, state.smooth);
  const hidden = state.smooth ? null : pixels.masked;
  const none = Array.from(x, () => null);
  const error = pixels.sigma ? gapped(pixels.sigma, pixels.masked) : none;
  if (!model)
    return [
      [x, error, gapped(flux, hidden), none, none, none, none, ...COMPONENTS.map(() => none)],
      [x, none],
    ];
  const moved = { ...model, loglam0: model.loglam0 + Math.log10((1 + state.z) / (1 + model.z)) };
  const fit = resampled(pixels.wavelength, moved, model.flux);
  const sigma = resampled(pixels.wavelength, moved, model.sigma);
  const denoised = model.denoised.length ? gapped(resampled(pixels.wavelength, model, model.denoised)) : none;
  const above = gapped(fit.map((value, i) => value + sigma[i]));
  const below = gapped(fit.map((value, i) => value - sigma[i]));
  // The response is the instrument's as much as the object's: it stays where it is.
  const components = COMPONENTS.map((name) =>
    model[name]
      ? gapped(resampled(pixels.wavelength, name === "response" ? model : moved, model[name]))
      : none,
  );
  return [
    [x, error, gapped(flux, hidden), above, below, gapped(fit), denoised, ...components],
    [x, residual(pixels, fit, state.smooth)],
  ];
}

function residual(pixels, fit, width) {
  const values = pixels.flux.map((flux, i) => (flux - fit[i]) / (pixels.sigma ? pixels.sigma[i] : 1));
  const known = Float64Array.from(pixels.masked, (masked, i) =>
    masked || !Number.isFinite(values[i]) ? 0 : 1,
  );
  const seen = smoothed(
    values.map((value) => (Number.isFinite(value) ? value : 0)),
    known,
    width,
  );
  return gapped(seen, width ? null : known.map((weight) => 1 - weight));
}

// From the first good pixel to the last: padding at the ends is nothing to look at.
export function spanOf({ wavelength, masked }, scale) {
  const [first, last] = [masked.indexOf(0), masked.lastIndexOf(0)];
  const low = wavelength[Math.max(first, 0)] / scale;
  const high = wavelength[last < 0 ? wavelength.length - 1 : last] / scale;
  return high > low ? [low, high] : [low - 1, low + 1];
}
