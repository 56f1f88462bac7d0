// Values as words: numbers with the digits that mean something, times, types.

import { raised } from "./units.js";

export const whole = (n) =>
  n === null || n === undefined ? "–" : Math.round(n).toLocaleString("en").replace(/,/g, "\u2009");

export function seconds(s) {
  if (s === null || s === undefined) return "–";
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 90) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  return s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
}

export const share = (p) =>
  p === null || p === undefined ? "–" : `${(100 * p).toFixed(p < 1 && (p > 0.99 || p < 0.1) ? 1 : 0)} %`;
export const fixed = (x, digits) => (Number.isFinite(x) ? x.toFixed(digits) : "–");
export const finite = (x) => (Number.isFinite(x) ? x : 0);
export const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");

export function small(x) {
  if (!Number.isFinite(x)) return "–";
  return x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e4)
    ? String(Number(x.toPrecision(3)))
    : x.toExponential(1);
}

// An error has two digits that mean something.
export function twoDigits(x) {
  if (!Number.isFinite(x)) return "–";
  return x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e4)
    ? String(Number(x.toPrecision(2)))
    : x.toExponential(1);
}

// A value and its error to the error's second digit, and the power of ten that both are to be multiplied by.
function alike(value, error) {
  const size = Math.max(Math.abs(value), error);
  const power = size >= 1e6 || size < 1e-3 ? Math.max(Math.floor(Math.log10(size)), -300) : 0;
  const digits = Math.min(Math.max(1 - Math.floor(Math.log10(error / 10 ** power)), 0), 8);
  const words = [value, error].map((x) => (x / 10 ** power).toFixed(digits).replace(/^-(?=[0.]*$)/, ""));
  return [...words, power ? `×10${raised(String(power))}` : ""];
}

const sure = (value, error) => Number.isFinite(value) && Number.isFinite(error) && error > 0;

export function withError(value, error) {
  if (!sure(value, error)) return small(value);
  const [shown, spread, power] = alike(value, error);
  return power ? `(${shown} ± ${spread})${power}` : `${shown} ± ${spread}`;
}

// The value alone, with no more digits than its error leaves it.
export function toError(value, error) {
  if (!sure(value, error)) return small(value);
  const [shown, , power] = alike(value, error);
  return shown + power;
}

// A number on an axis: of any size, in eight letters at most.
export function short(x) {
  const size = Math.abs(x);
  if (!Number.isFinite(x)) return "–";
  if (x === 0 || (size >= 1e-3 && size < 1e5)) return String(Number(x.toPrecision(size < 1 ? 3 : 5)));
  return x.toExponential(2).replace(/\.?0*e\+?/, "e");
}

// The one number that says how odd a spectrum is, -log10 of its false-positive rate, and what it means.
export const oddity = (score) => `score ${fixed(score, 1)}`;

export function rarity(rate) {
  if (!Number.isFinite(rate)) return "";
  if (rate < 1e-4) return "fewer than 1 in 10000 ordinary spectra score as high";
  if (rate > 0.1) return `${Math.round(100 * rate)}% of ordinary spectra score as high`;
  return `1 in ${Number((1 / rate).toPrecision(2))} ordinary spectra scores as high`;
}

// Some subclasses are named like their class.
export const fullType = (spectype, subtype) =>
  subtype && subtype !== spectype ? `${spectype} ${subtype}` : spectype;
