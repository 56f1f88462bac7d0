// What is measured of each line, in words for the plot: on its label, and where the pointer is.

import { toError, twoDigits, withError } from "./numbers.js";

const NOTHING = { seen: [], words: "", snr: 0 };
const AT_Z = 1e-5; // nearer than that to the measured redshift, lines of the plot are those that were measured

export const fluxOf = (line) =>
  Number.isFinite(line.upper_limit)
    ? `< ${twoDigits(line.upper_limit)}`
    : withError(line.flux, line.flux_error);

export const isMeasured = (line) => Number.isFinite(line.flux) || Number.isFinite(line.upper_limit);

// By the line's name: `seen`, the fluxes of its components that were seen; `words`, all of them with errors; `snr` of the surest.
export function fluxesOf(measurement) {
  const fluxes = new Map();
  for (const line of measurement?.lines ?? []) {
    if (!isMeasured(line)) continue;
    const known = fluxes.get(line.name) ?? { ...NOTHING, seen: [] };
    const kind = line.component === "narrow" ? "" : ` ${line.component}`;
    if (!Number.isFinite(line.upper_limit)) {
      known.seen.push(toError(line.flux, line.flux_error) + kind);
      known.snr = Math.max(known.snr, line.flux / line.flux_error || 0);
    }
    known.words += `${known.words && ", "}${fluxOf(line)}${kind}`;
    fluxes.set(line.name, known);
  }
  return (name, z) =>
    measurement && Math.abs(z - measurement.z) < AT_Z ? (fluxes.get(name) ?? NOTHING) : NOTHING;
}
