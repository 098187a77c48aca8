// The search field: "/" focuses it, results appear while typing, arrows and Enter choose.
const form = document.querySelector("form.search");

if (form) {
  const input = form.querySelector("input");
  const list = form.querySelector(".results");
  let waiting = 0;
  let request = null;
  let answered = "";   // the text that the list is for

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const options = () => [...list.querySelectorAll("a")];

  const select = (step) => {
    const all = options();
    if (!all.length) return;
    const current = all.findIndex((option) => option.ariaSelected === "true");
    const next = (current + step + all.length + (current < 0 && step < 0 ? 1 : 0)) % all.length;
    all.forEach((option, index) => option.setAttribute("aria-selected", String(index === next)));
    all[next].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", all[next].id);
  };

  const look = async () => {
    const query = input.value.trim();
    if (!query) return close();
    request?.abort();
    request = new AbortController();
    try {
      const response = await fetch(`${form.action}?q=${encodeURIComponent(query)}`, {
        headers: { "HX-Request": "true" }, signal: request.signal,
      });
      if (!response.ok || response.redirected) return;
      list.innerHTML = await response.text();
      answered = query;
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  };

  // Enter opens what is chosen among the results for the text that is there now, not among those of the text before.
  const open = async () => {
    clearTimeout(waiting);
    if (answered !== input.value.trim()) await look();
    const chosen = list.hidden ? null : options().find((option) => option.ariaSelected === "true");
    if (chosen) location.assign(chosen.href);
    else form.submit();
  };

  input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(look, 120); });
  if (input.value !== input.defaultValue) look();   // typed before this script had come
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      select(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      close();
      input.blur();
    } else if (event.key === "Enter" && input.value.trim()) {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => { if (!form.contains(event.target)) close(); });
  form.addEventListener("focusout", (event) => { if (event.relatedTarget && !form.contains(event.relatedTarget)) close(); });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });
}

// A menu closes when the user looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
