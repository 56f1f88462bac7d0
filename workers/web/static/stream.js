// The stream view: numbers, class mix, n(z), anomalies as cards, and the filtered list.

import { LIGHT_KM_S } from "./constants.js"; // written by the server
import { $, $$, classOf, get, kind, make, say } from "./dom.js";
import { clock, error, fixed, oddity, seconds, share, whole } from "./numbers.js";
import { showMore } from "./more.js";
import { drawHistogram, drawSeries, drawSmall } from "./pictures.js";

const smalls = new Map(); // spectrum id and time to its few points
let last = null;
let listing = false;
let listed = []; // spectra as they stand in the list: n and b walk along them

export const order = () => listed;
export const newest = () => last;

export function showFrame(frame) {
  last = frame;
  say("#source", frame.source);
  if ($("#stream").hidden) return;
  numbers(frame);
  mix(frame);
  for (const [name, histogram] of Object.entries(frame.histograms)) drawHistogram($(`#nz-${name}`), histogram, name);
  cards(frame.anomalies);
  list(frame);
}

export const redraw = () => last && showFrame(last);

function numbers(frame) {
  say("#rate", fixed(frame.rate, frame.rate < 100 ? 1 : 0));
  say("#rate-in", `of ${fixed(frame.rate_in, frame.rate_in < 100 ? 1 : 0)} arriving`);
  const box = $("#series");
  const canvas = box.firstElementChild ?? box.appendChild(make("canvas"));
  drawSeries(canvas, frame.series.results, frame.series.flagged);
  for (const name of ["p50", "p95", "p99"]) say(`#${name}`, seconds(frame.latency[name]));
  for (const tile of $$(".of-topics")) tile.hidden = frame.lag === undefined;
  lag(frame.lag);
  const cache = frame.cache;
  say("#cache", cache ? share(cache.share ?? (cache.lookups ? cache.hits / cache.lookups : null)) : "–");
  say("#cache-sub", cache ? `${whole(cache.hits)} of ${whole(cache.lookups)} spectra were known` : frame.lag === undefined ? "files need none" : "Redis does not answer");
  const letters = Object.entries(frame.letters);
  say("#dead", whole(letters.reduce((sum, [, n]) => sum + n, 0)));
  say("#reasons", letters.map(([reason, n]) => `${reason.replaceAll("_", " ")} ${n}`).join(" · ") || "none");
}

function lag(found) {
  say("#lag", found ? whole(found.total) : "–");
  const slowest = found ? Math.max(0, ...found.partitions.map((p) => p.seconds ?? Infinity)) : 0;
  const nobody = found?.ownerless.length ? `nobody reads ${found.ownerless.join(", ")}` : "";
  say("#lag-s", !found ? "" : nobody ? nobody : slowest === Infinity ? "standing still" : found.total ? `${seconds(slowest)} to drain` : "nothing waits");
  $("#lag-s").classList.toggle("bad", Boolean(nobody));
  say("#workers", found ? found.members.length : "–");
  say("#members", found ? found.members.join(", ") || `group ${found.group}: nobody` : "");
  const box = $("#partitions");
  const parts = found?.partitions ?? [];
  while (box.children.length > parts.length) box.lastElementChild.remove();
  const most = Math.max(20, ...parts.map((p) => p.lag));
  parts.forEach((part, i) => {
    const column = box.children[i] ?? box.appendChild(make("div", {}, make("i"), make("span"), make("span")));
    const [bar, records, time] = column.children;
    bar.style.height = `${(part.lag / most) * 16}px`;
    say(records, whole(part.lag));
    say(time, parts.length > 8 ? "" : part.seconds === null ? "stands" : seconds(part.seconds));
    column.title = `partition ${part.partition}: ${part.lag} behind, ${part.seconds === null ? "standing still" : seconds(part.seconds)}, ${part.member ?? "nobody reads it"}`;
  });
}

function mix(frame) {
  say("#kept", `of the last ${whole(frame.kept)}`);
  const total = Object.values(frame.classes).reduce((a, b) => a + b, 0) || 1;
  const box = $("#mix");
  ["GALAXY", "QSO", "STAR"].forEach((name, i) => {
    const n = frame.classes[name] ?? 0;
    const row = box.children[i] ?? box.appendChild(
      make("div", { class: "mixrow" }, make("span", { class: `c-${name}` }, name), make("div", { class: "track" }, make("i", { class: `b-${name}` })), make("span")),
    );
    row.children[1].firstElementChild.style.width = `${(100 * n) / total}%`;
    say(row.children[2], `${whole(n)} · ${share(n / total)}`);
  });
}

function cards(rows) {
  say("#flagged", `${whole(last.flagged)} of ${whole(last.kept)} flagged`);
  const box = $("#cards");
  if (!rows.length) {
    if (!box.querySelector(".nothing")) box.replaceChildren(make("p", { class: "nothing" }, "Nothing odd so far."));
    return;
  }
  box.querySelector(".nothing")?.remove();
  const wanted = new Map(rows.map((row) => [`${row.spectrum_id} ${row.digest} ${row.at}`, row]));
  for (const card of [...box.children]) if (!wanted.has(card.dataset.key)) card.remove();
  const have = new Map([...box.children].map((card) => [card.dataset.key, card]));
  [...wanted].forEach(([key, row], i) => {
    const element = have.get(key) ?? card(key, row);
    if (box.children[i] !== element) box.insertBefore(element, box.children[i] ?? null);
  });
}

function card(key, row) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const element = make(
    "a",
    { class: "card", href: link(named(row)), "data-id": row.spectrum_id, "data-digest": row.digest },
    make("span", { class: "top" }, make("span", { class: "id" }, row.spectrum_id)),
    canvas,
    make("span", { class: "top muted" }, make("span", {}, make("b", { class: `c-${classOf(row.spectype)}` }, row.spectype), ` ${speed(row)}`), make("b", { class: "score" }, oddity(row.score))),
    make("span", { class: "why" }, row.reason || "unlike every known kind"),
  );
  element.dataset.key = key;
  plot(canvas, named(row), key);
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
const speed = (row) => (row.spectype === "STAR" ? `${Math.round(row.z * LIGHT_KM_S)} km/s` : `z ${fixed(row.z, 4)}`);

// Which spectrum: the same id with other pixels is another one.
export const named = (row) => ({ id: row.spectrum_id, digest: row.digest });
export const link = ({ id, digest }) => `/?${new URLSearchParams(digest ? { id, digest } : { id })}`;

export function filters() {
  const given = {};
  for (const [name, value] of new FormData($("#filters"))) if (value.trim()) given[name] = value.trim();
  const cone = given.cone?.match(/^(\d+(?:\.\d*)?)[\s,]+([+-]?\d+(?:\.\d*)?)$/);
  delete given.cone;
  if (cone) [given.ra, given.dec] = [cone[1], cone[2]];
  else delete given.radius;
  return given;
}

async function list(frame) {
  const given = filters();
  if (!Object.keys(given).length) {
    rows(frame.latest, whole(frame.answered) + " answered");
    return;
  }
  if (listing) return;
  listing = true;
  try {
    const found = await get("results", given);
    rows(found.rows, `${whole(found.total)} of ${whole(frame.kept)} match`);
  } catch (error) {
    say("#listed", error.message);
  } finally {
    listing = false;
  }
}

function rows(found, words) {
  say("#listed", words);
  listed = found.map(named);
  const body = $("#results tbody");
  while (body.children.length > found.length) body.lastElementChild.remove();
  found.forEach((row, i) => fill(body.children[i] ?? body.appendChild(blank()), row));
}

function blank() {
  const row = make("tr", {}, ...Array.from({ length: 8 }, (_, i) => make("td", { class: i > 2 && i < 7 ? "num" : null })));
  row.children[1].append(make("a", {}));
  row.children[7].append(make("span", { class: "odd" }), " ", make("span", { class: "warn" }));
  return row;
}

function fill(element, row) {
  const cells = element.children;
  if (element.dataset.id !== row.spectrum_id || element.dataset.digest !== row.digest) {
    Object.assign(element.dataset, named(row));
    cells[1].firstElementChild.href = link(named(row));
    say(cells[1].firstElementChild, row.spectrum_id);
  }
  say(cells[0], clock(row.at));
  cells[2].className = `c-${classOf(row.spectype)}`;
  say(cells[2], kind(row.spectype, row.subtype));
  say(cells[3], fixed(row.probability, 2));
  say(cells[4], fixed(row.z, 5));
  say(cells[5], error(row.zerr));
  say(cells[6], fixed(row.snr, 1));
  const [odd, warn] = cells[7].children;
  say(odd, row.flagged ? `${oddity(row.score)}: ${row.reason || "unlike every known kind"}` : "");
  say(warn, row.warnings.join(" ").replaceAll("_", " "));
}

export function startStream(open) {
  $("#results tbody").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = event.target.closest("tr");
    if (row) {
      event.preventDefault();
      open({ ...row.dataset });
    }
  });
  $("#cards").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const found = event.target.closest(".card");
    if (found) {
      event.preventDefault();
      listed = $$(".card").map((one) => ({ ...one.dataset }));
      open({ ...found.dataset });
    }
  });
  const form = $("#filters");
  const fold = $("#fold");
  const unfold = (open) => {
    form.classList.toggle("unfolded", open);
    fold.setAttribute("aria-expanded", String(open));
  };
  fold.addEventListener("click", () => unfold(!form.classList.contains("unfolded")));
  const changed = () => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
    redraw();
  };
  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
  unfold([...new FormData(form)].some(([, value]) => value));
  showMore($("#cards"));
}
