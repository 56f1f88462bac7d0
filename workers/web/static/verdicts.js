// What people say of a spectrum, and a form to say it with.

import { classOf } from "./colours.js";
import { make, say } from "./dom.js";
import { fixed } from "./numbers.js";

const OF_FLAG = ["", "nothing", "instrument", "interesting"];
const QUALITY = ["0 nothing to be said", "1 a guess", "2 possible", "3 probable", "4 certain"];

export function showVerdicts(box, { id }, found, shownZ, changed) {
  const list = make("ul", { "aria-label": "Verdicts" }, ...found.verdicts.map(line));
  const panel = make(
    "figure",
    { class: "panel" },
    make("figcaption", {}, "Verdicts ", make("small", {}, "what people say")),
  );
  if (found.judging && found.row) panel.append(form(id, found, shownZ, list, changed));
  panel.append(list);
  box.replaceChildren(...(found.judging || found.verdicts.length ? [panel] : []));
}

// What has come since, without touching the form that somebody may be filling.
export const updateVerdicts = (box, found) =>
  box.querySelector("ul")?.replaceChildren(...found.verdicts.map(line));

function line(verdict) {
  const when = new Date(verdict.time_ms).toLocaleString("en-GB");
  const machine = `the networks said ${verdict.machine_spectype} z ${fixed(verdict.machine_z, 4)}`;
  return make(
    "li",
    { title: machine },
    make("b", { class: `c-${classOf(verdict.spectype)}` }, verdict.spectype),
    ` z ${fixed(verdict.z, 5)}, quality ${verdict.quality}`,
    verdict.anomaly ? `, flag: ${verdict.anomaly}` : "",
    verdict.comment ? `: ${verdict.comment}` : "",
    make("span", { class: "muted" }, ` ${verdict.author}, ${when}; ${machine}`),
  );
}

const ofFlag = () =>
  make(
    "label",
    {},
    "The flag",
    make(
      "select",
      { name: "anomaly" },
      ...OF_FLAG.map((word) => make("option", { value: word }, word || "–")),
    ),
  );

function form(id, found, shownZ, list, changed) {
  const options = (names, chosen) =>
    names.map((name) =>
      make("option", { value: name.split(" ")[0], selected: name.startsWith(chosen) }, name),
    );
  const word = make("p", { class: "said", role: "status" });
  const z = make("input", {
    name: "z",
    type: "number",
    step: "any",
    required: true,
    value: shownZ().toFixed(5),
  });
  const element = make(
    "form",
    { "aria-label": "Your verdict" },
    make(
      "label",
      {},
      "Class",
      make(
        "select",
        { name: "spectype" },
        ...options(["GALAXY", "QSO", "STAR", "UNKNOWN"], found.row.spectype),
      ),
    ),
    make("label", {}, "z", z),
    make("label", {}, "Quality", make("select", { name: "quality" }, ...options(QUALITY, "3"))),
    ...(found.row.flagged ? [ofFlag()] : []),
    make(
      "label",
      { class: "grow" },
      "Comment",
      make("input", { name: "comment", maxlength: 2000, autocomplete: "off" }),
    ),
    make(
      "label",
      {},
      "Your name",
      make("input", {
        name: "author",
        maxlength: 100,
        required: true,
        value: localStorage.getItem("author") ?? "",
      }),
    ),
    make("button", { type: "button", onclick: () => (z.value = shownZ().toFixed(5)) }, "Take z shown"),
    make("button", { type: "submit" }, "Publish"),
    word,
  );
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(element));
    localStorage.setItem("author", given.author);
    const body = JSON.stringify({
      ...given,
      spectrum_id: id,
      digest: found.digest,
      z: Number(given.z),
      quality: Number(given.quality),
    });
    try {
      const answer = await fetch("/api/verdicts", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error ?? "the server does not take it: look at the fields");
      found.verdicts = [...found.verdicts.filter((one) => one.author !== said.author), said];
      list.replaceChildren(...found.verdicts.map(line));
      changed();
      say(word, "Published.");
      word.className = "said";
    } catch (error) {
      say(word, error.message);
      word.className = "said bad";
    }
  });
  return element;
}
