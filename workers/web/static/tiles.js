// The tiles above the stream: rates, lag by partition, latency, workers, cache, dead letters; and the class mix.

import { $, $$, make, say } from "./dom.js";
import { fixed, seconds, share, whole } from "./numbers.js";
import { drawSeries } from "./pictures.js";

export function showTiles(frame) {
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
  say(
    "#cache-sub",
    cache
      ? `${whole(cache.hits)} of ${whole(cache.lookups)} spectra were known`
      : frame.lag === undefined
        ? "files need none"
        : "Redis does not answer",
  );
  const letters = Object.entries(frame.letters);
  say("#dead", whole(letters.reduce((sum, [, n]) => sum + n, 0)));
  say("#reasons", letters.map(([reason, n]) => `${reason.replaceAll("_", " ")} ${n}`).join(" · ") || "none");
}

function lag(found) {
  say("#lag", found ? whole(found.total) : "–");
  const slowest = found ? Math.max(0, ...found.partitions.map((p) => p.seconds ?? Infinity)) : 0;
  const nobody = found?.ownerless.length ? `nobody reads ${found.ownerless.join(", ")}` : "";
  say(
    "#lag-s",
    !found
      ? ""
      : nobody
        ? nobody
        : slowest === Infinity
          ? "standing still"
          : found.total
            ? `${seconds(slowest)} to drain`
            : "nothing waits",
  );
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

export function showMix(frame) {
  say("#kept", `of the last ${whole(frame.kept)}`);
  const total = Object.values(frame.classes).reduce((a, b) => a + b, 0) || 1;
  const box = $("#mix");
  ["GALAXY", "QSO", "STAR"].forEach((name, i) => {
    const n = frame.classes[name] ?? 0;
    const row =
      box.children[i] ??
      box.appendChild(
        make(
          "div",
          { class: "mixrow" },
          make("span", { class: `c-${name}` }, name),
          make("div", { class: "track" }, make("i", { class: `b-${name}` })),
          make("span"),
        ),
      );
    row.children[1].firstElementChild.style.width = `${(100 * n) / total}%`;
    say(row.children[2], `${whole(n)} · ${share(n / total)}`);
  });
}
