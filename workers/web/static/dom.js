// Making and filling elements. Text only ever becomes text: nothing here parses markup.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function say(target, text) {
  const element = typeof target === "string" ? $(target) : target;
  const words = String(text);
  if (element.textContent !== words) element.textContent = words;
}

export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const COLOURED = { GALAXY: "galaxy", QSO: "qso", STAR: "star" };
export const classColour = (spectype) =>
  colour(Object.hasOwn(COLOURED, spectype) ? COLOURED[spectype] : "accent");
// Some subclasses are named like their class.
export const fullType = (spectype, subtype) =>
  subtype && subtype !== spectype ? `${spectype} ${subtype}` : spectype;
export const classOf = (spectype) => (Object.hasOwn(COLOURED, spectype) ? spectype : "other");

export function sharp(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const draw = canvas.getContext("2d");
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, width, height);
  return draw;
}

export async function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  const answer = await fetch(`/api/${path}?${query}`);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw Object.assign(new Error(body.error ?? `the page's server answered ${answer.status}`), {
      reading: !!body.reading,
    });
  return body;
}

export function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = make("a", { href: URL.createObjectURL(blob), download: name.replace(/[^\w.+-]+/g, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
