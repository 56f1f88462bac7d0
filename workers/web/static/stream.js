// The stream view: numbers, class mix, n(z), anomalies as cards, and the filtered list.

import { listenToCards, showCards } from "./cards.js";
import { $, say } from "./dom.js";
import { drawHistogram } from "./pictures.js";
import { listenToList, showList, startFilters, walkAlong } from "./results.js";
import { showMix, showTiles } from "./tiles.js";

let last = null;

export function showFrame(frame) {
  last = frame;
  say("#source", frame.source);
  if ($("#stream").hidden) return;
  showTiles(frame);
  showMix(frame);
  for (const [name, histogram] of Object.entries(frame.histograms))
    drawHistogram($(`#nz-${name}`), histogram, name);
  showCards(frame);
  showList(frame);
}

export const redraw = () => last && showFrame(last);

export function startStream(open) {
  listenToList(open);
  listenToCards((name, cards) => {
    walkAlong(cards);
    open(name);
  });
  startFilters(redraw);
}
