// The mouse on a plot: the wheel zooms, a double click shows all, a line is dragged in z, and with shift held the window.

export const LINE_PX = 5; // how near the pointer must be to a line

// `hand` has: range(), width(), window(first, last), zoom(factor, at), line(x, reach), carry(line, x), drop(), all().
export function mouse(over, hand) {
  over.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      hand.zoom(event.deltaY < 0 ? 0.8 : 1.25, event.offsetX / hand.width());
    },
    { passive: false },
  );
  over.addEventListener(
    "dblclick",
    (event) => {
      event.stopImmediatePropagation();
      hand.all();
    },
    true,
  );
  over.addEventListener("mousedown", (event) => grab(over, hand, event), true);
  over.addEventListener("mousemove", (event) =>
    over.classList.toggle("grab", !!hand.line(event.offsetX, LINE_PX)),
  );
}

function grab(over, hand, event) {
  const held = event.shiftKey ? null : hand.line(event.offsetX, LINE_PX);
  if (!held && !event.shiftKey) return;
  event.stopImmediatePropagation();
  event.preventDefault();
  const { left } = over.getBoundingClientRect();
  const { min, max } = hand.range();
  const start = event.clientX;
  const move = (next) => {
    const by = ((next.clientX - start) / hand.width()) * (max - min);
    if (held) hand.carry(held, next.clientX - left);
    else hand.window(min - by, max - by);
  };
  const drop = () => {
    removeEventListener("mousemove", move);
    hand.drop();
  };
  addEventListener("mousemove", move);
  addEventListener("mouseup", drop, { once: true });
}
