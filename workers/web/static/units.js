// Units of flux as people write them: the symbol of the angstrom, raised powers, the numerator first.

const ORDER = ["erg", "W", "s", "cm", "m", "Å"];
const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
export const raised = (text) => [...text].map((letter) => RAISED[letter] ?? letter).join("");
const place = (word) =>
  ORDER.findIndex((name) => word.startsWith(name) && !/^\p{L}/u.test(word.slice(name.length)));

// Factors with their powers, those of a denominator turned round.
function factors(product, sign) {
  const write = (_, name, power) => name + raised(sign > 0 ? (power ?? "") : String(-(power ?? 1)));
  return product
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => word.replace(/^(\p{L}+)(-?\d+)?$/u, write));
}

// Units of flux times angstrom: of a flux per angstrom, those of what is left.
export function unitOfLines(text) {
  const words = unit(text);
  if (!words) return "unit of flux × Å";
  const without = words.replace(/( Å⁻¹|\/Å)$/, "");
  return without === words ? `${words} × Å` : without;
}

const QUANTITIES = new Map([
  ["Angstrom", "Å"],
  ["log10(erg/s)", "log₁₀ erg/s"],
  ["log10(solMass)", "log₁₀ M☉"],
  ["log10(cm/s2)", "log₁₀ cm/s²"],
]);

export const unitOfQuantity = (text) => QUANTITIES.get(text) ?? text;

// From "10**-17 Angstrom-1 cm-2 erg s-1" or "1e-17 erg / (s cm2 Angstrom)"; what is written otherwise keeps its order.
export function unit(text) {
  const power = (_, a, b) => `10${raised((a ?? b).replace("+", ""))}`;
  const words = text.replace(/Angstroms?/gi, "Å").replace(/10\*\*\(?(-?\d+)\)?|1e([+-]?\d+)/gi, power);
  const [above, below = "", ...more] = words.split("/").map((part) => part.trim().replace(/^\(|\)$/g, ""));
  if (more.length || below.includes("-")) return words;
  return [...factors(above, 1), ...factors(below, -1)].toSorted((a, b) => place(a) - place(b)).join(" ");
}
