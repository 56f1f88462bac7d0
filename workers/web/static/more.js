// A row that goes on beyond its edge says so: the style sheet draws an arrow where `data-more` names a side.

export function showMore(box) {
  const look = () => {
    const rest = box.scrollWidth - box.clientWidth;
    const sides = [box.scrollLeft > 4 && "left", box.scrollLeft < rest - 4 && "right"]
      .filter(Boolean)
      .join(" ");
    if (box.dataset.more !== sides) box.dataset.more = sides;
  };
  box.addEventListener("scroll", look, { passive: true });
  const watch = new ResizeObserver(look);
  watch.observe(box);
  new MutationObserver(look).observe(box, { childList: true });
  look();
}
