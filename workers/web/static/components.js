// The switches of the model's components: which there are, and which are shown.

import { make } from "./dom.js";
import { COMPONENTS } from "./state.js";

const TITLES = {
  continuum: "the model without its lines and iron",
  narrow: "narrow emission lines",
  broad: "broad emission lines",
  iron: "blends of Fe II",
  response: "the smooth factor of calibration and dust that is in the model; its scale is on the right",
};
const LABELS = {
  continuum: "Continuum",
  narrow: "Narrow",
  broad: "Broad",
  iron: "Iron",
  response: "Response",
};

export class ComponentSwitches {
  constructor(box, changed) {
    this.boxes = COMPONENTS.map((name) =>
      make("input", { type: "checkbox", name, onchange: () => changed(name) }),
    );
    const labels = this.boxes.map((input) =>
      make("label", { class: "switch", "data-component": input.name }, input, LABELS[input.name]),
    );
    box.append(...labels);
  }

  // `model` is null until it is there. What it doesn't have can't be switched, and stays as it is for the next spectrum.
  show(state, model) {
    for (const input of this.boxes) {
      const none = model !== null && !model[input.name];
      input.checked = state[input.name];
      input.disabled = none;
      input.parentElement.title = none ? `none in this model: ${TITLES[input.name]}` : TITLES[input.name];
    }
  }
}
