// The list of results, as the filters have it; the filters stand in the address.

import { classOf } from "./colours.js";
import { $, make, say } from "./dom.js";
import { link, named } from "./identity.js";
import { clock, fixed, fullType, oddity, twoDigits, whole } from "./numbers.js";
import { get } from "./server.js";

let listing = false;
let listed = []; // spectra as they stand in the list: n and b walk along them

export const order = () => listed;

function filters() {
  const given = {};
  for (const [name, value] of new FormData($("#filters"))) if (value.trim()) given[name] = value.trim();
  const cone = given.cone?.match(/^(\d+(?:\.\d*)?)[\s,]+([+-]?\d+(?:\.\d*)?)$/);
  delete given.cone;
  if (cone) [given.ra, given.dec] = [cone[1], cone[2]];
  else delete given.radius;
  return given;
}

export async function showList(frame) {
  const given = filters();
  if (!Object.keys(given).length) {
    showRows(frame.latest, whole(frame.answered) + " answered");
    return;
  }
  if (listing) return;
  listing = true;
  try {
    const matching = await get("results", given);
    showRows(matching.rows, `${whole(matching.total)} of ${whole(frame.kept)} match`);
  } catch (error) {
    say("#listed", error.message);
  } finally {
    listing = false;
  }
}

function showRows(rows, words) {
  say("#listed", words);
  listed = rows.map(named);
  const body = $("#results tbody");
  while (body.children.length > rows.length) body.lastElementChild.remove();
  rows.forEach((row, i) => fill(body.children[i] ?? body.appendChild(blank()), row));
}

function blank() {
  const row = make(
    "tr",
    {},
    ...Array.from({ length: 8 }, (_, i) => make("td", { class: i > 2 && i < 7 ? "num" : null })),
  );
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
  say(cells[2], fullType(row.spectype, row.subtype));
  say(cells[3], fixed(row.probability, 2));
  say(cells[4], fixed(row.z, 5));
  say(cells[5], twoDigits(row.zerr));
  say(cells[6], fixed(row.snr, 1));
  const [odd, warn] = cells[7].children;
  say(odd, row.flagged ? `${oddity(row.score)}: ${row.reason || "unlike every known kind"}` : row.fault);
  say(warn, row.warnings.join(" ").replaceAll("_", " "));
}

export function listenToList(open) {
  $("#results tbody").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = event.target.closest("tr");
    if (!row) return;
    event.preventDefault();
    open({ id: row.dataset.id, digest: row.dataset.digest });
  });
}

// Other spectra than those of the list to walk along.
export function walkAlong(names) {
  listed = names;
}

export function startFilters(redraw) {
  const form = $("#filters");
  const fold = $("#fold");
  const unfold = (wide) => {
    form.classList.toggle("unfolded", wide);
    fold.setAttribute("aria-expanded", String(wide));
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
  for (const [name, value] of new URLSearchParams(location.search))
    if (form.elements[name]) form.elements[name].value = value;
  unfold([...new FormData(form)].some(([, value]) => value));
}
