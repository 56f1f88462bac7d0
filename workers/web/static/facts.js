// Beside the plots: probabilities with their spread, candidates, and why it is odd.

import { classOf } from "./colours.js";
import { $, make } from "./dom.js";
import { finite, fixed, fullType, oddity, rarity, share, twoDigits } from "./numbers.js";

export function showBars(classification) {
  const box = $("#bars");
  box.replaceChildren();
  if (!classification) return;
  const add = (probabilities, spreads, least, bar) => {
    const sorted = Object.entries(probabilities)
      .map(([name, p]) => [name, finite(p)])
      .toSorted((a, b) => b[1] - a[1])
      .filter(([, p], i) => i < 2 || p >= least);
    for (const [name, p] of sorted.slice(0, 7)) {
      const spread = finite(spreads[name]);
      const fill = make("i", { class: `b-${bar ? classOf(name) : "other"}` });
      const whisker = make("u");
      fill.style.width = `${100 * p}%`;
      const low = Math.max(0, p - spread);
      whisker.style.left = `${100 * low}%`;
      whisker.style.width = `${100 * (Math.min(1, p + spread) - low)}%`;
      box.append(
        make(
          "div",
          { class: "bar-row", title: `${name}: ${p.toFixed(4)} ± ${spread.toFixed(4)}` },
          make("span", {}, name || "none"),
          make("div", { class: "whisk" }, fill, whisker),
          make("span", { class: "num" }, `${share(p)} ± ${(100 * spread).toFixed(1)}`),
        ),
      );
    }
  };
  add(classification.class_probability, classification.class_spread, 0, true);
  box.append(make("div", { class: "bars-gap" }));
  add(classification.subclass_probability, classification.subclass_spread, 0.02, false);
}

export function showBest(redshift, go) {
  const body = $("#best tbody");
  body.replaceChildren();
  for (const candidate of redshift?.candidates ?? []) {
    const row = make(
      "tr",
      { onclick: () => go(candidate.z) },
      make(
        "td",
        {},
        make(
          "button",
          {
            type: "button",
            class: `c-${classOf(candidate.spectype)}`,
            title: `Show ${fullType(candidate.spectype, candidate.subtype)} at this redshift`,
          },
          fullType(candidate.spectype, candidate.subtype),
        ),
      ),
      make("td", { class: "num" }, fixed(candidate.z, 5)),
      make("td", { class: "num" }, twoDigits(candidate.zerr)),
      make("td", { class: "num" }, fixed(candidate.deltachi2, candidate.deltachi2 < 1000 ? 1 : 0)),
      make("td", { class: "num" }, fixed(candidate.probability, 3)),
    );
    row.dataset.z = candidate.z;
    body.append(row);
  }
}

export function markBest(z) {
  for (const row of document.querySelectorAll("#best tbody tr"))
    row.classList.toggle("shown", Math.abs(row.dataset.z - z) < 1e-5);
}

export function showOdd(anomaly) {
  const box = $("#odd div");
  box.replaceChildren();
  if (!anomaly) return;
  const words = anomaly.flagged ? "Flagged" : "Ordinary";
  const [kind, number] = anomaly.flagged ? ["bad", "score"] : ["good", ""];
  if (anomaly.judgement === "outside_reference")
    box.append(make("p", {}, make("span", { class: "chip" }, "Not judged")));
  else
    box.append(
      make(
        "p",
        {},
        make("span", { class: `chip ${kind}` }, words),
        " ",
        make("b", { class: number }, oddity(anomaly.score)),
        `: ${rarity(anomaly.false_positive_rate)}.`,
      ),
    );
  for (const reason of anomaly.reasons)
    box.append(
      make(
        "p",
        {},
        reason.message,
        make(
          "span",
          { class: "muted" },
          ` ${reason.origin}, ${fixed(reason.wavelength_min, 0)}–${fixed(reason.wavelength_max, 0)} Å`,
        ),
      ),
    );
  for (const fault of anomaly.shared) box.append(make("p", {}, "Judged without ", withIt(fault), "."));
  for (const fault of anomaly.reported) box.append(make("p", { class: "muted" }, fault.message));
}

const withIt = (fault) =>
  make(
    "a",
    { href: `/?${new URLSearchParams({ shared: fault })}` },
    "a fault that others of its plate or fibre have, too",
  );
