// Colours of the style sheet, and those of the classes.

export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const COLOURED = { GALAXY: "galaxy", QSO: "qso", STAR: "star" };
export const classColour = (spectype) =>
  colour(Object.hasOwn(COLOURED, spectype) ? COLOURED[spectype] : "accent");
export const classOf = (spectype) => (Object.hasOwn(COLOURED, spectype) ? spectype : "other");
