// What a browser shows, asked element by element. Nothing of what it returns may be there.
() => {
  const paper = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    paper.clearRect(0, 0, 1, 1);
    paper.fillStyle = text;
    paper.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paper.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, low) => [0, 1, 2].map((i) => top[i] * top[3] + low[i] * (1 - top[3]));
  const ground = (element) => {
    if (!element) return rgba(getComputedStyle(document.body).backgroundColor);
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : [...over(own, ground(element.parentElement)), 1];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const told = (element) => `${element.tagName} #${element.id} .${element.className} ${element.textContent.slice(0, 40)}`;
  const rect = (element) => element.getBoundingClientRect();
  const wider = (element) => element.scrollWidth > element.clientWidth + 1;
  const flows = (element, ...kinds) => ["overflowX", "overflowY"].some((way) => kinds.includes(getComputedStyle(element)[way]));
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX) && wider(element);
  const scroller = (element) => {
    for (let one = element.parentElement; one; one = one.parentElement) if (scrolls(one)) return one;
    return null;
  };
  const hidden = (element) => rect(element).right <= 0 || getComputedStyle(element).clipPath !== "none" || (element.parentElement && hidden(element.parentElement));
  const all = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && rect(one).width && !hidden(one));
  const texts = all.filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const backs = (element) => contrast(over(rgba(getComputedStyle(element).color), ground(element)), ground(element));
  const root = document.scrollingElement;
  const named = (name) => rgba(getComputedStyle(root).getPropertyValue(`--${name}`));
  const coarse = matchMedia("(pointer: coarse)").matches;
  const least = (element) => Math.min(rect(element).width, rect(element).height);
  return {
    wide: Math.max(0, root.scrollWidth - root.clientWidth),
    outside: texts.filter((one) => rect(one).right > root.clientWidth + 1 && !scroller(one)).map(told),
    unhinted: all.filter((one) => scrolls(one) && !one.dataset.more).map(told),
    cut: all.filter((one) => flows(one, "hidden", "clip") && one.textContent.trim() && !one.title && (wider(one) || one.scrollHeight > one.clientHeight + 1)).map(told),
    covered: texts.filter((one) => one.clientWidth && getComputedStyle(one).overflowX === "visible" && wider(one)).map(told),
    pale: texts.filter((one) => backs(one) < 4.5).map((one) => `${told(one)} ${backs(one)}`),
    drawn: ["muted", "bad", "emission", "absorption", "galaxy", "qso", "star"].filter((name) => contrast(named(name), named("panel")) < 4.5),
    small: all.filter((one) => coarse && one.matches("button, input, select, a[href]") && least(one) < 39.5).map((one) => `${told(one)} ${rect(one).width} x ${rect(one).height}`),
    labels: placed.filter(({ canvas }) => canvas.isConnected).filter(({ canvas, ends }) => ends.some(({ x, y }) => x < -1 || x > canvas.width + 1 || y < -1 || y > canvas.height + 1)).map(({ text, canvas, ends }) => `${text} at ${ends.map(({ x, y }) => [Math.round(x), Math.round(y)])} of ${canvas.width} x ${canvas.height}`),
  };
}
