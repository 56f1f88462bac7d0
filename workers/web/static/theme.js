// Light or dark: as the system has it, until somebody chooses.

import { $ } from "./dom.js";

function kept() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

function set(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("theme", name);
  } catch {
    // A browser that keeps nothing shows the system's choice the next time.
  }
}

export function startTheme(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  set(kept() ?? system);
  $("#theme").addEventListener("click", () => {
    set(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    changed();
  });
}
