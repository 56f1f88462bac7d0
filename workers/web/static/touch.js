// Fingers on a plot: one moves the window, two zoom, a tap reads a pixel, two taps show all, and a line that is held is carried.

const HOLD_MS = 350;
const TAPS_MS = 350;
const STILL_PX = 8;
const LINE_PX = 18; // how near a finger must be to a line

// `hand` has: range(), width(), window(first, last), line(x, reach), carry(line, x), drop(), read(x), all().
export function fingers(over, hand) {
  let [held, timer, before, began, moved] = [null, null, 0, null, false];
  const places = (event) => {
    const { left } = over.getBoundingClientRect();
    return [...event.touches].slice(0, 2).map((touch) => touch.clientX - left);
  };
  const begin = (event) => {
    const { min, max } = hand.range();
    const [a, b] = places(event);
    const value = (x) => min + (x / hand.width()) * (max - min);
    began = {
      x: a,
      y: event.touches[0].clientY,
      min,
      max,
      values: b === undefined ? [value(a)] : [value(a), value(b)],
    };
  };
  over.addEventListener(
    "touchstart",
    (event) => {
      clearTimeout(timer);
      moved = event.touches.length > 1;
      begin(event);
      if (!moved)
        timer = setTimeout(() => {
          held = hand.line(began.x, LINE_PX);
          over.classList.toggle("held", !!held);
        }, HOLD_MS);
    },
    { passive: true },
  );
  over.addEventListener(
    "touchmove",
    (event) => {
      const [a, b] = places(event);
      const [dx, dy] = [a - began.x, event.touches[0].clientY - began.y];
      if (held) hand.carry(held, a);
      else if (b !== undefined) pinch(hand, began.values, a, b);
      else if (moved || (Math.abs(dx) > STILL_PX && Math.abs(dx) > Math.abs(dy))) slide(hand, began, dx);
      else if (Math.abs(dy) > STILL_PX) return clearTimeout(timer);
      else return null;
      clearTimeout(timer);
      moved = true;
      if (event.cancelable) event.preventDefault();
      return null;
    },
    { passive: false },
  );
  const end = (event) => {
    clearTimeout(timer);
    if (event.cancelable && event.type === "touchend") event.preventDefault(); // no mouse events after it
    if (event.touches.length) return begin(event);
    if (moved || held) hand.drop();
    else if (event.type === "touchend" && event.timeStamp - before < TAPS_MS) hand.all();
    else if (event.type === "touchend") hand.read(began.x);
    before = moved || held ? 0 : event.timeStamp;
    held = null;
    over.classList.remove("held");
    return null;
  };
  over.addEventListener("touchend", end, { passive: false });
  over.addEventListener("touchcancel", end);
}

function slide(hand, { min, max }, dx) {
  const by = (dx / hand.width()) * (max - min);
  hand.window(min - by, max - by);
}

// What was under either finger stays under it.
function pinch(hand, [first, last], a, b) {
  if (last === undefined || Math.abs(b - a) < 12 || (last - first) * (b - a) <= 0) return;
  const scale = (last - first) / (b - a);
  hand.window(first - a * scale, first + (hand.width() - a) * scale);
}
