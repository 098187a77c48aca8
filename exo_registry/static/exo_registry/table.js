// Tables marked data-table: sort by a click on the heading, filter by typing, save as CSV.
// A cell sorts by its data-value if it has one; the filter and the order are kept in the URL.
const address = new URL(location.href);

const remember = (name, value) => {
  if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
};

const valueOf = (cell) => cell?.dataset.value ?? cell?.textContent.trim() ?? "";

const compare = (a, b) => {
  if (a === "" || b === "") return (a === "") - (b === "");          // what is absent comes last
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
};

function enhance(table) {
  const tools = document.querySelector(`[data-tools="${table.id}"]`);
  const bodies = [...table.tBodies];
  const rows = bodies.flatMap((body) => [...body.rows].filter((row) => !row.matches(".group")));
  const homes = new Map(rows.map((row) => [row, row.parentNode]));
  const headings = [...table.tHead.rows[0].cells];
  const flat = document.createElement("tbody");

  const order = (index, direction) => {
    headings.forEach((heading, i) => {
      if (i === index && direction) heading.ariaSort = direction; else heading.removeAttribute("aria-sort");
    });
    table.classList.toggle("flat", Boolean(direction));
    if (!direction) {
      rows.forEach((row) => homes.get(row).append(row));
      flat.remove();
      return remember(`${table.id}-sort`, "");
    }
    const sign = direction === "descending" ? -1 : 1;
    const keyed = rows.map((row) => [valueOf(row.cells[index]), row]);
    keyed.sort(([a], [b]) => (a === "" || b === "" ? compare(a, b) : sign * compare(a, b)));
    flat.append(...keyed.map(([, row]) => row));
    table.append(flat);
    return remember(`${table.id}-sort`, `${sign < 0 ? "-" : ""}${index}`);
  };

  headings.forEach((heading, index) => {
    if (heading.dataset.sort === "off" || !heading.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    const first = heading.matches(".number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    button.addEventListener("click", () => {
      order(index, { [first]: second, [second]: "" }[heading.ariaSort ?? ""] ?? first);
    });
  });

  const filter = tools?.querySelector("input[type=search]");
  const count = tools?.querySelector("[data-count]");
  const nothing = document.createElement("p");
  const clear = document.createElement("button");
  nothing.className = "empty";
  nothing.setAttribute("role", "status");
  clear.type = "button";
  clear.textContent = "Show all rows";
  clear.addEventListener("click", () => { showAll(); filter.focus(); });
  table.after(nothing);
  const words = new Map(rows.map((row) => [row, `${row.dataset.words ?? ""} ${row.textContent}`.toLowerCase()]));
  const narrow = () => {
    const wanted = (filter?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !wanted.every((word) => words.get(row).includes(word));
      shown += !row.hidden;
    }
    for (const body of bodies) {
      const group = body.querySelector("tr.group");
      if (group) group.hidden = rows.every((row) => homes.get(row) !== body || row.hidden);
    }
    nothing.hidden = shown > 0 || !rows.length;
    nothing.replaceChildren(`No row matches “${filter?.value.trim()}”. `, clear);
    if (count) count.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
  };
  const showAll = () => {
    filter.value = "";
    narrow();
    remember("q", "");
  };
  filter?.addEventListener("input", () => { narrow(); remember("q", filter.value.trim()); });
  filter?.addEventListener("keydown", (event) => {
    if (event.key === "Escape") showAll();
  });

  tools?.querySelector("[data-csv]")?.addEventListener("click", (event) => {
    const columns = headings.map((_, index) => index).filter((index) => headings[index].dataset.csv !== "off");
    const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    // Text that a spreadsheet would run as a formula is kept as text (exo_registry/formats/csv_text.py).
    const formula = /^'*(?:\s*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n])/;
    const field = (text) => quote(formula.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
    const lines = [columns.map((index) => headings[index].textContent.trim())];
    const shown = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => !row.matches(".group") && !row.hidden);
    for (const row of shown) lines.push(columns.map((index) => valueOf(row.cells[index])));
    const blob = new Blob([lines.map((line) => line.map(field).join(",")).join("\n"), "\n"], { type: "text/csv" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = event.target.dataset.csv;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });

  if (tools) tools.hidden = false;
  if (filter) filter.value = address.searchParams.get("q") ?? "";
  narrow();
  const kept = address.searchParams.get(`${table.id}-sort`);
  if (kept) {
    const index = Math.abs(Number.parseInt(kept, 10));
    if (headings[index]) order(index, kept.startsWith("-") ? "descending" : "ascending");
  }
}

document.querySelectorAll("table[data-table]").forEach(enhance);
