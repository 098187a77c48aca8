// The link to the next rows is replaced by these rows: whoever had reached it by the keyboard goes on at the first one.
let before = null;

document.addEventListener("htmx:beforeSwap", ({ target }) => {
  if (target.matches(".more") && target.contains(document.activeElement)) before = target.previousElementSibling;
});
document.addEventListener("htmx:afterSettle", () => {
  before?.nextElementSibling?.querySelector("a")?.focus({ preventScroll: true });
  before = null;
});
