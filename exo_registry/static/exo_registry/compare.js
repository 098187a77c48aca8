// Several series on one chart: as stored, as changes over the range shown, or these at equal volatility.
import { colour, keepTrying, library, minus, needLibrary, ranges, read, spans, themed, whole } from "./chart_parts.js";

const holder = document.getElementById("chart");
const canvas = holder.querySelector(".chart-canvas");
const tools = document.getElementById("chart-tools");
const sources = [...document.querySelectorAll("[data-series]")].map(({ dataset }) => dataset);
const outputs = new Map([...document.querySelectorAll("[data-of]")].map((output) => [output.dataset.of, output]));
const SCALES = ["value", "change", "volatility"];

const paint = () => ({ ink: colour("muted"), line: colour("line"), strong: colour("line-strong") });

// Standard deviation of a session's change, as docs/statistics.md has it; `sessions`: what the change to each value is over.
function deviation(values, sessions) {
  const changes = values.slice(1).map((value, i) => ({ change: value - values[i], over: sessions[i + 1] }));
  if (changes.length < 2) return 0;
  const total = changes.reduce((sum, { over }) => sum + over, 0);
  const mean = changes.reduce((sum, { change }) => sum + change, 0) / total;
  const squares = changes.reduce((sum, { change, over }) => sum + (change - over * mean) ** 2 / over, 0);
  return Math.sqrt(squares / (changes.length - 1));
}

// The statistics are of the range that the chart shows; nothing for all of it.
function tell(wanted) {
  const fields = [...document.getElementById("shown-range").elements];
  if (fields.every((field, i) => field.value === wanted[i])) return;
  fields.forEach((field, i) => { field.value = wanted[i]; });
  globalThis.htmx?.trigger("#compare-statistics", "range");
}

function draw(found) {
  const times = [...new Set(found.flatMap(({ points }) => points.date))].sort();
  const chart = library.createChart(canvas, {
    autoSize: true,
    ...themed(paint()),
    localization: { dateFormat: "yyyy-MM-dd", priceFormatter: (value) => minus(whole.format(value)) },
    handleScroll: { vertTouchDrag: false },
    timeScale: { borderColor: paint().strong, rightOffset: 0, minBarSpacing: 0.02, lockVisibleTimeRangeOnResize: true },
  });
  const lines = found.map(({ points, gaps }, i) => ({
    name: sources[i].series, number: sources[i].line, date: points.date, exo: points.exo, shown: points.exo,
    sessions: spans(points.date, gaps),
    at: new Map(points.date.map((day, index) => [day, index])),
    line: chart.addSeries(library.LineSeries, {
      lineWidth: 2, priceLineVisible: false, crosshairMarkerRadius: 3, priceFormat: { type: "price", precision: 0, minMove: 1 },
    }),
  }));
  const zero = lines[0].line.createPriceLine({ price: 0, lineWidth: 1, lineStyle: library.LineStyle.Dotted, axisLabelVisible: false });

  const colourIn = () => {
    chart.applyOptions(themed(paint()));
    lines.forEach(({ line, number }) => line.applyOptions({ color: colour(`line-${number}`) }));
    zero.applyOptions({ color: paint().strong });
  };
  colourIn();
  document.addEventListener("theme", colourIn);

  const write = (day) => lines.forEach(({ name, at, shown }) => {
    const index = day === undefined ? shown.length - 1 : at.get(day);
    outputs.get(name).textContent = index === undefined ? "\u2013" : minus(whole.format(shown[index]));
  });
  chart.subscribeCrosshairMove((event) => write(event.time));

  const address = () => new URL(location.href);
  let scale = SCALES.includes(address().searchParams.get("scale")) ? address().searchParams.get("scale") : "value";
  let range = [times[0], times.at(-1)];
  const put = () => {
    const [from, to] = range;
    const within = ({ date }, values) => values.filter((_, i) => date[i] >= from && date[i] <= to);
    const inside = lines.map((one) => within(one, one.exo));
    const spreads = lines.map((one, i) => deviation(inside[i], within(one, one.sessions)));
    const common = spreads.find((spread) => spread > 0);
    lines.forEach((one, i) => {
      const base = scale === "value" ? 0 : inside[i][0] ?? 0;
      const factor = scale === "volatility" && spreads[i] > 0 ? common / spreads[i] : 1;
      one.shown = one.exo.map((value) => (value - base) * factor);
      one.line.setData(times.map((time) => (one.at.has(time) ? { time, value: one.shown[one.at.get(time)] } : { time })));
    });
    const buttons = tools.querySelectorAll("[data-scale]");
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.scale === scale)));
    write();
  };
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("[data-scale]");
    if (!button) return;
    scale = button.dataset.scale;
    const kept = address();
    if (scale === "value") kept.searchParams.delete("scale"); else kept.searchParams.set("scale", scale);
    history.replaceState(history.state, "", kept);
    put();
  });
  put();
  ranges(chart, tools, times, (from, to) => {
    tell(from === times[0] && to === times.at(-1) ? ["", ""] : [from, to]);
    if (from === range[0] && to === range[1]) return;
    range = [from, to];
    if (scale !== "value") put();
  });
}

await keepTrying(holder.querySelector(".chart-note"), holder, async () => {
  needLibrary();
  const found = await Promise.all(sources.map(({ url }) => read(url)));
  canvas.replaceChildren();                     // of a try that failed half way
  draw(found);
  tools.hidden = false;
  requestAnimationFrame(() => requestAnimationFrame(() => { holder.dataset.drawn = ""; }));
});
