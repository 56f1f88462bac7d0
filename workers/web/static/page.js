// The page: which view is shown, and the connection to the server.

import { Connection } from "./connection.js";
import { $, $$, say } from "./dom.js";
import { fetched, forget } from "./fetched.js";
import { link } from "./identity.js";
import { startKeys } from "./keys.js";
import { order } from "./results.js";
import { SpectrumView } from "./spectrum.js";
import { redraw, showFrame, startStream } from "./stream.js";
import { startTheme } from "./theme.js";
import { showVerdicts, updateVerdicts } from "./verdicts.js";

let view = null;

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
  view ??= new SpectrumView($("#spectrum"), {
    next: () => step(1),
    previous: () => step(-1),
    back: () => visit("/"),
    opened,
  });
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
  showVerdicts(
    $("#mark"),
    name,
    found,
    () => view.state.z,
    () => forget(name),
  );
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
    fetched("spectrum", name).then(
      (found) => view.which === name && judged(found),
      () => null,
    );
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
  const row =
    left &&
    !$("#stream").hidden &&
    $$("#results tbody tr").find(
      (one) => one.dataset.id === left.id && (!left.digest || one.dataset.digest === left.digest),
    );
  (row ? $("a", row) : $("#main")).focus({ preventScroll: true });
}

const open = (name) => visit(link(name));
const place = ({ id, digest }) =>
  order().findIndex((one) => one.id === id && (!digest || one.digest === digest));

function step(by) {
  const ids = order();
  const here = place(view.which);
  const next = here < 0 ? ids[0] : ids[here + by];
  if (next) open(next);
  else notice(by > 0 ? "This is the last one of the list." : "This is the first one of the list.");
}

function notice(words) {
  say("#notice p", words);
  $("#notice").hidden = !words;
}

// What was drawn in the colours of before is drawn again.
function repaint() {
  document.querySelectorAll(".card").forEach((card) => card.remove());
  redraw();
  view?.repaint();
}

function start() {
  startTheme(repaint);
  startKeys({ view: () => view, walk: step, leave: () => visit("/") });
  $("#notice button").addEventListener("click", () => notice(""));
  addEventListener("popstate", route);
  addEventListener("resize", redraw);
  document.addEventListener("click", (event) => {
    const brand = event.target.closest("[data-link]");
    if (!brand || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    visit("/");
  });
  startStream(open);
  new Connection(framed, notice).start();
  route();
}

start();
