// What is shown of a spectrum: at which redshift, how smooth, in which frame, which window, which curves.

const SMOOTHEST = 20;

export const USUAL = { model: true, denoised: false, lines: true, sky: true, error: true };

// What the model is the sum of, and the response that is in it: shown where somebody asks for it, from then on of every spectrum.
export const COMPONENTS = ["continuum", "narrow", "broad", "iron", "response"];
export const NO_COMPONENTS = Object.fromEntries(COMPONENTS.map((name) => [name, false]));

export const usualState = (id) => ({
  id,
  z: null,
  smooth: 0,
  rest: false,
  window: null,
  ...USUAL,
  ...NO_COMPONENTS,
});

// A message may name any number; what no object can have is shown as zero, or as the nearest that one can.
export const possible = (z) => (Number.isFinite(z) ? Math.min(Math.max(z, -0.1), 20) : 0);

export const smoothing = (width) => Math.min(Math.max(width, 0), SMOOTHEST);

// Observed wavelengths divided by this are those that are shown.
export const scaleOf = (state) => (state.rest ? 1 + state.z : 1);

// The same pixels stay in the window when a curve or the frame is switched on or off.
export function toggled(state, name) {
  const before = scaleOf(state);
  state[name] = !state[name];
  const by = before / scaleOf(state);
  if (state.window) state.window = state.window.map((value) => value * by);
}
