// What keys do, and the list of keys and gestures that says so.

import { $, make } from "./dom.js";

const KEYS = [
  ["n, b", "next, previous spectrum"],
  ["s, S", "smooth more, less"],
  ["d", "denoised model on, off"],
  ["m", "model on, off"],
  ["e", "error on, off"],
  ["l", "lines on, off"],
  ["t", "rest or observed frame"],
  ["z", "type a redshift"],
  ["← →", "move along the wavelengths"],
  ["↑ ↓", "zoom in, out"],
  ["⇧← ⇧→", "redshift in small steps"],
  ["r", "back to the answer, all in view"],
  ["Esc", "back to the stream"],
  ["/", "search"],
  ["?", "this list"],
];

const TOUCHES = [
  ["drag", "move along the wavelengths"],
  ["two fingers", "zoom"],
  ["tap", "read a pixel; go to a minimum of χ² or a candidate"],
  ["two taps", "all in view"],
  ["hold, drag", "a line, and the redshift with it"],
  ["− +", "the redshift in small steps; hold for many"],
];

// Once there are pixels to move along.
const arrows = (view) => ({
  ArrowLeft: (shift) => (shift ? view.step(-1) : view.plots.pan(-0.2)),
  ArrowRight: (shift) => (shift ? view.step(1) : view.plots.pan(0.2)),
  ArrowUp: () => view.plots.zoom(0.7),
  ArrowDown: () => view.plots.zoom(1 / 0.7),
});

const letters = (view, { walk, leave }) => ({
  n: () => walk(1),
  b: () => walk(-1),
  s: () => view.smooth(view.state.smooth + 1),
  S: () => view.smooth(view.state.smooth - 1),
  d: () => view.toggle("denoised"),
  m: () => view.toggle("model"),
  e: () => view.toggle("error"),
  l: () => view.toggle("lines"),
  t: () => view.toggle("rest"),
  z: () => $("#z").select(),
  r: () => view.reset(),
  Escape: leave,
});

function pressed(event, view, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("#keys").open) return;
  if (event.target.closest("input:not([type=checkbox]), select, textarea")) {
    if (event.key === "Escape" || (event.key === "Enter" && event.target.id === "z")) event.target.blur();
    return;
  }
  if (event.key === "?") $("#keys").showModal();
  else if (event.key === "/" && !$("#stream").hidden) $("#filters [name=text]").focus();
  else if (!$("#spectrum").hidden && view) {
    const act = letters(view, actions)[event.key] ?? (view.pixels && arrows(view)[event.key]);
    if (!act) return;
    act(event.shiftKey);
  } else return;
  event.preventDefault();
}

// `actions` has: view(), the open spectrum or null; walk(by), along the list; leave(), to the stream.
export function startKeys(actions) {
  for (const [keys, words] of KEYS) list("by-keys", keys, words);
  for (const [gesture, words] of TOUCHES) list("by-fingers", gesture, words);
  $("#help").addEventListener("click", () => $("#keys").showModal());
  addEventListener("keydown", (event) => pressed(event, actions.view(), actions));
}

function list(name, keys, words) {
  $(`#keys .${name}`).append(make("dt", {}, make("kbd", {}, keys)), make("dd", {}, words));
}
