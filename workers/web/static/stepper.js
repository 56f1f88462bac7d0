// A button that moves a number by a step, by many where it is held, and by larger ones the longer it is.

const WAIT_MS = 400;
const EVERY_MS = 60;
const FASTER = 12; // steps after which they grow

export function stepper(button, step) {
  let [timer, held] = [null, false];
  const go = (n) => {
    held = true;
    step(n < FASTER ? 1 : 5);
    timer = setTimeout(go, EVERY_MS, n + 1);
  };
  button.addEventListener("pointerdown", () => {
    held = false;
    timer = setTimeout(go, WAIT_MS, 0);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"])
    button.addEventListener(name, () => clearTimeout(timer));
  button.addEventListener("click", () => held || step(1));
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}
