// The page: which view is shown, the connection to the server, keys, light and dark.

import { $, $$, make, say } from "./dom.js";
import { Connection } from "./connection.js";
import { SpectrumView, fetched, forget } from "./spectrum.js";
import { link, order, redraw, showFrame, startStream } from "./stream.js";
import { showVerdicts, updateVerdicts } from "./verdicts.js";

let view = null;

const KEYS = [
  ["n, b", "next, previous spectrum"], ["s, S", "smooth more, less"], ["d", "denoised model on, off"], ["m", "model on, off"], ["e", "error on, off"],
  ["l", "lines on, off"], ["t", "rest or observed frame"], ["z", "type a redshift"], ["← →", "move along the wavelengths"], ["↑ ↓", "zoom in, out"],
  ["⇧← ⇧→", "redshift in small steps"], ["r", "back to the answer, all in view"], ["Esc", "back to the stream"], ["/", "search"], ["?", "this list"],
];

const TOUCHES = [
  ["drag", "move along the wavelengths"], ["two fingers", "zoom"], ["tap", "read a pixel; go to a minimum of χ² or a candidate"], ["two taps", "all in view"],
  ["hold, drag", "a line, and the redshift with it"], ["− +", "the redshift in small steps; hold for many"],
];

function route() {
  const query = new URLSearchParams(location.search);
  const id = query.get("id");
  $("#stream").hidden = !!id;
  $("#spectrum").hidden = !id;
  if (!id) {
    document.title = "spectraq";
    redraw();
    return;
  }
  view ??= new SpectrumView($("#spectrum"), { next: () => step(1), previous: () => step(-1), back: () => visit("/"), opened });
  const name = { id, digest: query.get("digest") ?? "" };
  view.open(name, query).catch((error) => {
    if (view.which === name) view.early = error.reading;
    notice(error.message);
  });
  notice("");
}

// What is next in the list is fetched before it is asked for.
async function opened(name, found) {
  const next = order()[place(name) + 1];
  showVerdicts($("#mark"), name, found, () => view.state.z, () => forget(name));
  if (next) await Promise.allSettled([fetched("spectrum", next), fetched("model", next)]);
}

// A spectrum that stands open hears of new verdicts, and of itself if the server was still reading when it was asked for.
function framed(frame) {
  showFrame(frame);
  if ($("#spectrum").hidden) return;
  const name = view.which;
  if (view.early && !frame.trouble) {
    forget(name);
    route();
  } else if (view.found && view.found.judged !== frame.judged) {
    forget(name);
    fetched("spectrum", name).then((found) => view.which === name && judged(found), () => null);
  }
}

function judged(found) {
  view.found.judged = found.judged;
  updateVerdicts($("#mark"), found);
}

function visit(address) {
  const left = $("#spectrum").hidden ? null : view?.which;
  history.pushState(null, "", address);
  route();
  scrollTo(0, 0);
  // Whoever came by keyboard goes on from the row of the spectrum, not from the top of the page.
  const row = left && !$("#stream").hidden && $$("#results tbody tr").find((one) => one.dataset.id === left.id && (!left.digest || one.dataset.digest === left.digest));
  (row ? $("a", row) : $("#main")).focus({ preventScroll: true });
}

const open = (name) => visit(link(name));
const place = ({ id, digest }) => order().findIndex((one) => one.id === id && (!digest || one.digest === digest));

function step(by) {
  const ids = order();
  const here = place(view.which);
  const next = here < 0 ? ids[0] : ids[here + by];
  if (next) open(next);
  else notice(by > 0 ? "This is the last one of the list." : "This is the first one of the list.");
}

export function notice(words) {
  say("#notice p", words);
  $("#notice").hidden = !words;
}

const arrows = {
  ArrowLeft: (shift) => (shift ? view.step(-1) : view.plots.pan(-0.2)),
  ArrowRight: (shift) => (shift ? view.step(1) : view.plots.pan(0.2)),
  ArrowUp: () => view.plots.zoom(0.7),
  ArrowDown: () => view.plots.zoom(1 / 0.7),
};

const letters = {
  n: () => step(1), b: () => step(-1), s: () => view.smooth(view.state.smooth + 1), S: () => view.smooth(view.state.smooth - 1),
  d: () => view.toggle("denoised"), m: () => view.toggle("model"), e: () => view.toggle("error"), l: () => view.toggle("lines"), t: () => view.toggle("rest"),
  z: () => $("#z").select(), r: () => view.reset(), Escape: () => visit("/"),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("#keys").open) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape" || (event.key === "Enter" && event.target.id === "z")) event.target.blur();
    return;
  }
  if (event.key === "?") $("#keys").showModal();
  else if (event.key === "/" && !$("#stream").hidden) $("#filters [name=text]").focus();
  else if (!$("#spectrum").hidden && view) {
    const act = letters[event.key] ?? (view.pixels && arrows[event.key]);
    if (!act) return;
    act(event.shiftKey);
  } else return;
  event.preventDefault();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("theme", name);
  } catch {
    // A browser that keeps nothing shows the system's choice the next time.
  }
}

function start() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  theme(localStorage.getItem("theme") ?? system);
  $("#theme").addEventListener("click", () => {
    theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    redraw();
    document.querySelectorAll(".card").forEach((card) => card.remove());
    redraw();
    view?.repaint();
  });
  $("#notice button").addEventListener("click", () => notice(""));
  $("#help").addEventListener("click", () => $("#keys").showModal());
  for (const [list, known] of [["by-keys", KEYS], ["by-fingers", TOUCHES]])
    for (const [keys, words] of known) $(`#keys .${list}`).append(make("dt", {}, make("kbd", {}, keys)), make("dd", {}, words));
  addEventListener("keydown", pressed);
  addEventListener("popstate", route);
  addEventListener("resize", redraw);
  document.addEventListener("click", (event) => {
    const brand = event.target.closest("[data-link]");
    if (!brand || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    visit("/");
  });
  startStream(open);
  new Connection(framed, notice);
  route();
}

start();
