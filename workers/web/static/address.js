// What of the spectrum view stands in the address: everything that is not as usual.

const TOGGLES = ["model", "denoised", "lines", "sky", "error"];
const USUAL = { model: true, denoised: false, lines: true, sky: true, error: true };
// A message may name any number; what no object can have is shown as zero, or as the nearest that one can.
export const possible = (z) => (Number.isFinite(z) ? Math.min(Math.max(z, -0.1), 20) : 0);

export function queryOf(state, digest, best) {
  const query = new URLSearchParams({ id: state.id });
  if (digest) query.set("digest", digest);
  if (Math.abs(state.z - best) > 1e-9) query.set("z", state.z.toFixed(6));
  if (state.smooth) query.set("smooth", state.smooth);
  if (state.rest) query.set("rest", "1");
  if (state.window) query.set("x", state.window.map((value) => value.toFixed(1)).join("-"));
  for (const name of TOGGLES) if (state[name] !== USUAL[name]) query.set(name, state[name] ? "1" : "0");
  return query;
}

export function stateOf(id, query) {
  const number = (name) => (query.has(name) && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null);
  const state = { id, z: null, smooth: 0, rest: false, window: null, ...USUAL };
  state.z = query.has("z") ? possible(number("z")) : null;
  state.smooth = Math.min(Math.max(number("smooth") ?? 0, 0), 20);
  state.rest = query.get("rest") === "1";
  for (const name of TOGGLES) if (query.has(name)) state[name] = query.get(name) === "1";
  const window = query.get("x")?.split("-").map(Number);
  if (window?.length === 2 && window.every(Number.isFinite) && window[0] < window[1]) state.window = window;
  return state;
}
