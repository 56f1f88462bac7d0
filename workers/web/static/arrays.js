// Arrays of a spectrum: out of base64, smoothed, resampled.

// Gaussian smoothing with weights 1/sigma^2; sigma of the kernel in pixels. What is masked is bridged.
export function smoothed(values, weights, width) {
  if (!width) return values;
  const reach = Math.ceil(2.5 * width);
  const kernel = Float64Array.from({ length: reach + 1 }, (_, k) => Math.exp(-0.5 * (k / width) ** 2));
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    let sum = 0;
    let norm = 0;
    for (let j = Math.max(0, i - reach); j <= Math.min(values.length - 1, i + reach); j++) {
      const weight = kernel[Math.abs(j - i)] * weights[j];
      if (weight > 0) {
        sum += weight * values[j];
        norm += weight;
      }
    }
    out[i] = norm > 0 ? sum / norm : NaN;
  }
  return out;
}

// Values on a grid even in log10(wavelength), read at other wavelengths by linear interpolation; NaN outside.
export function resampled(wavelength, grid, values) {
  const out = new Float32Array(wavelength.length).fill(NaN);
  for (let i = 0; i < wavelength.length; i++) {
    const place = (Math.log10(wavelength[i]) - grid.loglam0) / grid.dloglam;
    const left = Math.floor(place);
    if (left < 0 || left + 1 >= values.length) continue;
    out[i] = values[left] + (place - left) * (values[left + 1] - values[left]);
  }
  return out;
}

// uPlot breaks a curve at null alone.
export const gapped = (values, hidden) =>
  Array.from(values, (value, i) => (Number.isFinite(value) && !hidden?.[i] ? value : null));

export function percentiles(values, ...shares) {
  if (!values.length) return shares.map(() => 0);
  const sorted = Float64Array.from(values).toSorted();
  return shares.map((share) => sorted[Math.round(share * (sorted.length - 1))]);
}

// Runs of set flags as [first, last] indices.
export function runs(flags) {
  const out = [];
  for (let i = 0; i < flags.length; i++) {
    if (!flags[i]) continue;
    const first = i;
    while (i + 1 < flags.length && flags[i + 1]) i++;
    out.push([first, i]);
  }
  return out;
}

const KINDS = { f4: Float32Array, f8: Float64Array, u1: Uint8Array };

export function unpack(text, kind) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return new KINDS[kind](bytes.buffer);
}
