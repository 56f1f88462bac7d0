// Below the plots: what is measured of the lines, and of the object; where a number is missing, why.

import { LINE_NAMES, QUANTITY_NAMES } from "./constants.js"; // written by the server, from models/measurement
import { $, make, say } from "./dom.js";
import { fluxOf, isMeasured } from "./fluxes.js";
import { fixed, fullType, withError } from "./numbers.js";
import { unitOfLines, unitOfQuantity } from "./units.js";

const written = (names, name) => (Object.hasOwn(names, name) ? names[name] : null);
const lineName = (line) => written(LINE_NAMES, line.name) ?? [line.name, fixed(line.wavelength, 0)];
const number = (words) => make("td", { class: words === "–" ? "num none" : "num" }, words);

export function showMeasurement(measurement) {
  say("#measured-state", "");
  const { spectype, subtype, z, same } = measurement;
  const by = same ? "" : ", by other networks than the answer's";
  say("#measured-as", `as ${fullType(spectype, subtype)} at z = ${fixed(z, 5)}${by}`);
  showLines(measurement);
  showQuantities(measurement);
  $("#measured").hidden = false;
}

// In the place of numbers: that they are awaited, or why there are none.
export function clearMeasurement(words = "") {
  say("#measured-state", words);
  say("#measured-as", "");
  $("#measured").hidden = true;
}

function showLines({ lines, flux_unit }) {
  const [numbers, none] = [lines.filter(isMeasured), lines.filter((line) => !isMeasured(line))];
  say("#unit-of-lines", unitOfLines(flux_unit));
  $("#lines tbody").replaceChildren(...numbers.map(lineRow));
  $("#lines").hidden = !numbers.length;
  const reasons = Map.groupBy(none, (line) => line.reason ?? "not measured");
  const words = [...reasons].map(([reason, without]) =>
    make("p", {}, make("b", {}, `${reason}: `), without.map(inWords).join(", ")),
  );
  if (!lines.length) words.push(make("p", {}, "Lines of this class are not measured."));
  $("#unmeasured").replaceChildren(...words);
}

const inWords = (line) =>
  [...lineName(line), line.component === "narrow" ? "" : line.component].join(" ").trim();

function lineRow(line) {
  const [name, wavelength] = lineName(line);
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name, " ", make("small", {}, wavelength)),
    make("td", {}, line.component),
    number(fluxOf(line)),
    number(withError(line.ew, line.ew_error)),
    number(withError(line.sigma, line.sigma_error)),
    number(withError(line.offset, line.offset_error)),
    make("td", { class: "why" }, line.reason ?? ""),
  );
}

function showQuantities({ spectype, quantities, bpt }) {
  const shares = quantities.filter(({ name }) => name.startsWith("p_"));
  const rows = quantities.filter((quantity) => !shares.includes(quantity)).map(quantityRow);
  if (shares.length) rows.unshift(bptRow(bpt, shares));
  $("#quantities tbody").replaceChildren(...rows);
  $("#quantities").hidden = !rows.length;
  say("#quantities-none", rows.length ? "" : `Nothing is measured of ${spectype}.`);
}

const row = (name, ...cells) => make("tr", {}, make("th", { scope: "row" }, name), ...cells);
const missing = (reason) => make("td", { class: "why" }, reason ?? "not measured");

function quantityRow({ name, value, error, unit, reason }) {
  const words = written(QUANTITY_NAMES, name) ?? name;
  if (!Number.isFinite(value)) return row(words, missing(reason));
  return row(words, make("td", {}, withError(value, error), " ", make("small", {}, unitOfQuantity(unit))));
}

// What ionises the gas: the most probable class, and the share of each.
function bptRow(bpt, shares) {
  const name = (kind) => written(QUANTITY_NAMES, kind) ?? kind;
  if (bpt === null) return row("BPT class", missing(shares[0].reason));
  const known = shares.filter(({ value }) => value >= 0.005).toSorted((a, b) => b.value - a.value);
  const words = known.map((share) => `${name(share.name)} ${fixed(share.value, 2)}`).join(", ");
  return row("BPT class", make("td", {}, name(`p_${bpt}`), " ", make("small", {}, words)));
}
