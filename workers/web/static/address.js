// What of the spectrum view stands in the address: everything that is not as usual.

import { NO_COMPONENTS, USUAL, possible, smoothing, usualState } from "./state.js";

const AS_USUAL = { ...USUAL, ...NO_COMPONENTS };
const CURVES = Object.keys(AS_USUAL);

export function queryOf(state, digest, best) {
  const query = new URLSearchParams({ id: state.id });
  if (digest) query.set("digest", digest);
  if (Math.abs(state.z - best) > 1e-9) query.set("z", state.z.toFixed(6));
  if (state.smooth) query.set("smooth", state.smooth);
  if (state.rest) query.set("rest", "1");
  if (state.window) query.set("x", state.window.map((value) => value.toFixed(1)).join("-"));
  for (const name of CURVES) if (state[name] !== AS_USUAL[name]) query.set(name, state[name] ? "1" : "0");
  return query;
}

// `components` says which were shown last; the address may say otherwise.
export function stateOf(id, query, components) {
  const number = (name) =>
    query.has(name) && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null;
  const state = { ...usualState(id), ...components };
  state.z = query.has("z") ? possible(number("z")) : null;
  state.smooth = smoothing(number("smooth") ?? 0);
  state.rest = query.get("rest") === "1";
  for (const name of CURVES) if (query.has(name)) state[name] = query.get(name) === "1";
  const window = query.get("x")?.split("-").map(Number);
  if (window?.length === 2 && window.every(Number.isFinite) && window[0] < window[1]) state.window = window;
  return state;
}
