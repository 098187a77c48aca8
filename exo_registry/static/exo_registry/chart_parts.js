// What the charts of the site share: numbers as the pages write them, colours, data with words for what goes wrong,
// ranges that are kept in the address.
export const library = globalThis.LightweightCharts;

const DAY = 86_400_000;
const PATIENCE = 30_000;                        // milliseconds that an answer may take
export const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
export const minus = (text) => text.replace("-", "\u2212");
export const signed = (value, format = money) => (value > 0 ? "+" : "") + minus(format.format(value));

// Sessions that the change to each point is over: one, and one more for each gap since the point before.
export function spans(date, gaps) {
  const missing = Object.keys(gaps).sort();
  let at = 0;
  return date.map((day, i) => {
    const first = at;
    while (at < missing.length && missing[at] < day) at += 1;
    return i > 0 ? 1 + at - first : 1;
  });
}

// A colour of palette.css as the page shows it now, light or dark.
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const shown = getComputedStyle(probe).color;
  probe.remove();
  return shown;
}

// The colour as seen through: `share` 0 is clear, 1 is solid.
export const faint = (shown, share) => shown.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);

// An error whose message is for the user as it is.
export class Trouble extends Error {}

export function needLibrary() {
  if (!library) throw new Trouble("The chart library did not load. If it is not installed, run \u201cnpm ci\u201d and \u201cmanage.py collectstatic\u201d.");
}

export async function read(address) {
  let response;
  try {
    response = await fetch(address, { signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new Trouble(error.name === "TimeoutError"
      ? `The server did not answer within ${PATIENCE / 1000} seconds.` : "The server cannot be reached.");
  }
  if (response.redirected || response.status === 401) throw new Trouble("You are logged out. Reload the page to log in.");
  if (!response.ok) throw new Trouble(`The server answered ${response.status}.`);
  try {
    return await response.json();
  } catch {
    throw new Trouble("The answer of the server was cut off.");
  }
}

// Runs `work` until it succeeds: meanwhile the note says `busy`, after a failure why, with a button to try again.
// A page that comes back from the browser's memory with its chart unfinished tries again by itself.
export function keepTrying(note, holder, work) {
  const busy = note.textContent;
  let running = false;
  const attempt = async () => {
    if (running) return;
    running = true;
    note.hidden = false;
    note.textContent = busy;
    delete holder.dataset.failed;
    try {
      await work();
      note.hidden = true;
      holder.dataset.done = "";
    } catch (error) {
      const words = document.createElement("span");
      words.textContent = error instanceof Trouble ? error.message : `The chart cannot be drawn: ${error.message}`;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Try again";
      button.addEventListener("click", () => (library ? attempt() : location.reload()));
      note.replaceChildren(words, button);
      holder.dataset.failed = "";
    } finally {
      running = false;
    }
  };
  addEventListener("pageshow", (event) => { if (event.persisted && !("done" in holder.dataset)) attempt(); });
  return attempt();
}

// What every chart looks like in the page's colours.
export const themed = (paint) => ({
  layout: {
    background: { color: "transparent" }, textColor: paint.ink, fontSize: 11, attributionLogo: false,
    fontFamily: getComputedStyle(document.body).fontFamily,
    panes: { separatorColor: paint.strong, separatorHoverColor: paint.line, enableResize: true },
  },
  grid: { vertLines: { color: paint.line }, horzLines: { color: paint.line } },
  crosshair: {
    mode: library.CrosshairMode.Magnet,
    vertLine: { color: paint.ink, labelBackgroundColor: paint.ink }, horzLine: { color: paint.ink, labelBackgroundColor: paint.ink },
  },
  rightPriceScale: { borderColor: paint.strong, minimumWidth: 72 },
  timeScale: { borderColor: paint.strong },
});

// Range buttons and free zoom; ?from=&to= in the address, nothing for all.
// `settled(from, to)` hears of every range that comes to rest.
export function ranges(chart, tools, times, settled) {
  const scale = chart.timeScale();
  const last = times.at(-1);
  const buttons = [...tools.querySelectorAll("[data-range]")];
  const iso = (time) => new Date(time).toISOString().slice(0, 10);
  const starts = (name) => {
    if (name === "All") return times[0];
    if (name === "YTD") return `${last.slice(0, 4)}-01-01`;
    const [year, month, day] = last.split("-").map(Number);
    const months = Number.parseInt(name, 10) * (name.endsWith("Y") ? 12 : 1);
    return iso(Date.UTC(year, month - 1 - months, day));
  };
  const at = (day) => { const i = times.findIndex((time) => time >= day); return i < 0 ? times.length - 1 : i; };
  const upTo = (day) => { const i = times.findLastIndex((time) => time <= day); return i < 0 ? 0 : i; };
  const show = (from, to) => {
    const [first, end] = [at(from), upTo(to)];
    scale.setVisibleLogicalRange({ from: first - 0.5, to: Math.max(end, first + 1) + 0.5 });
  };

  let waiting = 0;
  const settle = () => {
    const visible = scale.getVisibleLogicalRange();
    if (!visible) return;
    const from = times[Math.max(0, Math.min(times.length - 1, Math.ceil(visible.from)))];
    const to = times[Math.max(0, Math.min(times.length - 1, Math.floor(visible.to)))];
    settled(from, to);
    const all = from === times[0] && to === last;
    buttons.forEach((button) => {
      const begins = times[at(starts(button.dataset.range))];
      const pressed = button.dataset.range === "All" ? all : !all && to === last && from === begins;
      button.setAttribute("aria-pressed", String(pressed));
    });
    const address = new URL(location.href);
    address.searchParams.delete("from");
    address.searchParams.delete("to");
    if (!all) { address.searchParams.set("from", from); address.searchParams.set("to", to); }
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  };
  buttons.forEach((button) => {
    button.disabled = button.dataset.range !== "All" && starts(button.dataset.range) < iso(Date.parse(times[0]) - 31 * DAY);
    button.addEventListener("click", () => show(starts(button.dataset.range), last));
  });
  const asked = new URL(location.href).searchParams;
  const date8601 = /^\d{4}-\d{2}-\d{2}$/;
  const from = date8601.test(asked.get("from") ?? "") ? asked.get("from") : times[0];
  const to = date8601.test(asked.get("to") ?? "") ? asked.get("to") : last;
  show(from, to);
  // The range counts once it has come to rest; the first one too, which the chart takes on when it paints.
  const later = () => { clearTimeout(waiting); waiting = setTimeout(settle, 150); };
  scale.subscribeVisibleLogicalRangeChange(later);
  later();
}
