// The latest anomalies as cards: a small picture, the class and the redshift, and why it is odd. A fault that
// many spectra of a plate share is one card before them, with their number, and leads to their list.

import { LIGHT_KM_S } from "./constants.js"; // written by the server
import { classOf } from "./colours.js";
import { $, $$, make, say } from "./dom.js";
import { link, named } from "./identity.js";
import { showMore } from "./more.js";
import { fixed, oddity, whole } from "./numbers.js";
import { drawSmall } from "./pictures.js";
import { get } from "./server.js";

const smalls = new Map(); // spectrum id and time to its few points

export function showCards(frame) {
  say("#flagged", `${whole(frame.flagged)} of ${whole(frame.kept)} flagged`);
  const { anomalies: rows, faults } = frame;
  const box = $("#cards");
  if (!rows.length && !faults.length) {
    if (!box.querySelector(".nothing"))
      box.replaceChildren(make("p", { class: "nothing" }, "Nothing odd so far."));
    return;
  }
  box.querySelector(".nothing")?.remove();
  const wanted = new Map([
    ...faults.map((fault) => [`fault ${fault.fault_id}`, () => faultCard(fault)]),
    ...rows.map((row) => [`${row.spectrum_id} ${row.digest} ${row.at}`, () => card(row)]),
  ]);
  for (const shown of $$(".card", box)) if (!wanted.has(shown.dataset.key)) shown.remove();
  const have = new Map($$(".card", box).map((shown) => [shown.dataset.key, shown]));
  [...wanted].forEach(([key, made], i) => {
    const element = have.get(key) ?? made();
    element.dataset.key = key;
    if (box.children[i] !== element) box.insertBefore(element, box.children[i] ?? null);
  });
  faults.forEach((fault, i) => say($(".count", box.children[i]), many(fault)));
}

const many = ({ shown }) => (shown === 1 ? "1 spectrum" : `${whole(shown)} spectra`);

function faultCard(fault) {
  const ends = [fault.wavelength_min, fault.wavelength_max].map((end) => fixed(end, 0));
  return make(
    "a",
    { class: "card fault", href: `/?${new URLSearchParams({ shared: fault.fault_id })}` },
    make("span", { class: "top" }, make("span", { class: "id" }, `${groupOf(fault)} ${fault.name}`)),
    make("b", { class: "count" }, many(fault)),
    make(
      "span",
      { class: "top muted" },
      make("span", {}, fault.kind.replaceAll("_", " ")),
      make("span", {}, `${ends.join("–")} Å`),
    ),
    make("span", { class: "why" }, fault.message),
  );
}

const groupOf = ({ group }) => (group === "fiber" ? "fibre" : group);

function card(row) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const element = make(
    "a",
    { class: "card", href: link(named(row)), "data-id": row.spectrum_id, "data-digest": row.digest },
    make("span", { class: "top" }, make("span", { class: "id" }, row.spectrum_id)),
    canvas,
    make(
      "span",
      { class: "top muted" },
      make("span", {}, make("b", { class: `c-${classOf(row.spectype)}` }, row.spectype), ` ${speed(row)}`),
      make("b", { class: "score" }, oddity(row.score)),
    ),
    make("span", { class: "why" }, row.reason || "unlike every known kind"),
  );
  plot(canvas, named(row), `${row.spectrum_id} ${row.digest} ${row.at}`);
  return element;
}

async function plot(canvas, name, key) {
  try {
    if (!smalls.has(key)) smalls.set(key, await get("small", name));
    if (smalls.size > 60) smalls.delete(smalls.keys().next().value);
    drawSmall(canvas, smalls.get(key) ?? (await get("small", name)));
  } catch {
    canvas.title = "its pixels are no longer kept";
  }
}

// A star's redshift is its velocity.
const speed = (row) =>
  row.spectype === "STAR" ? `${Math.round(row.z * LIGHT_KM_S)} km/s` : `z ${fixed(row.z, 4)}`;

export function listenToCards(open) {
  $("#cards").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const chosen = event.target.closest(".card:not(.fault)");
    if (!chosen) return;
    event.preventDefault();
    open(nameOf(chosen), $$(".card:not(.fault)").map(nameOf));
  });
  showMore($("#cards"));
}

const nameOf = (element) => ({ id: element.dataset.id, digest: element.dataset.digest });
