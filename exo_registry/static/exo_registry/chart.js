// The chart of one series: value, drawdown and delta panes. The page names the address of its data.
import {
  colour, faint, keepTrying, library, minus, money, needLibrary, ranges, read, signed, spans, themed, whole,
} from "./chart_parts.js";

const holder = document.getElementById("chart");
const canvas = holder.querySelector(".chart-canvas");
const note = holder.querySelector(".chart-note");
const tools = document.getElementById("chart-tools");

// Largest value so far, minus the value: zero or below. The series starts flat, so the first peak is at least 0.
function drawdowns(values) {
  let peak = 0;
  return values.map((value) => { peak = Math.max(peak, value); return value - peak; });
}

function palette() {
  return {
    value: colour("blue"), zero: colour("line-strong"), drawdown: colour("loss"), delta: colour("muted"),
    roll: colour("warn"), gap: colour("loss"), trade: colour("blue"), ink: colour("muted"),
    line: colour("line"), strong: colour("line-strong"), panel: colour("panel"),
  };
}

function draw({ points, trades, gaps }) {
  const { date, exo, delta } = points;
  const drawdown = drawdowns(exo);
  const index = new Map(date.map((day, i) => [day, i]));
  let paint = palette();

  const chart = library.createChart(canvas, {
    autoSize: true,
    ...themed(paint),
    localization: { dateFormat: "yyyy-MM-dd" },
    handleScroll: { vertTouchDrag: false },
    timeScale: { borderColor: paint.strong, rightOffset: 0, minBarSpacing: 0.02, lockVisibleTimeRangeOnResize: true },
  });

  // A session without a value is a hole in the line: a time with no value.
  const times = [...date, ...Object.keys(gaps).filter((day) => !index.has(day))].sort();
  const data = (values) => times.map((time) => (index.has(time) ? { time, value: values[index.get(time)] } : { time }));
  const rolled = date.filter((_, i) => points.is_rollover[i]);
  const common = { priceLineVisible: false, crosshairMarkerRadius: 3, lastValueVisible: true };
  const inWhole = { type: "custom", minMove: 0.01, formatter: (value) => minus(whole.format(value)) };
  const inHundredths = { type: "custom", minMove: 0.01, formatter: (value) => minus(value.toFixed(2)) };

  const value = chart.addSeries(library.LineSeries, { ...common, lineWidth: 2, priceFormat: inWhole }, 0);
  const under = chart.addSeries(library.AreaSeries, { ...common, lineWidth: 1, invertFilledArea: true, priceFormat: inWhole }, 1);
  const slope = chart.addSeries(library.LineSeries, { ...common, lineWidth: 1, lineType: library.LineType.WithSteps, priceFormat: inHundredths }, 2);
  const series = [value, under, slope];
  value.setData(data(exo));
  under.setData(data(drawdown));
  slope.setData(data(delta));
  // Far out, rolls stand as ticks along the foot of the pane, where they do not hide the line.
  const ticks = chart.addSeries(library.HistogramSeries, { priceScaleId: "rolls", priceLineVisible: false, lastValueVisible: false }, 0);
  ticks.setData(rolled.map((time) => ({ time, value: 1 })));
  chart.priceScale("rolls", 0).applyOptions({ scaleMargins: { top: 0.97, bottom: 0 } });
  const zero = [value, slope].map((one) => one.createPriceLine({ price: 0, lineWidth: 1, lineStyle: library.LineStyle.Dotted, axisLabelVisible: false }));
  [6, 2, 2].forEach((share, pane) => chart.panes()[pane].setStretchFactor(share));

  const marks = library.createSeriesMarkers(value, []);
  const shown = { rolls: true, trades: false, gaps: true };
  const before = (day) => {                       // the value that carries on over a gap
    const next = date.findIndex((other) => other > day);
    return exo[next < 0 ? exo.length - 1 : Math.max(next - 1, 0)] ?? 0;
  };
  let crowded = null;
  const mark = () => {
    ticks.applyOptions({ visible: shown.rolls && crowded, color: paint.roll });
    const rolls = shown.rolls && !crowded ? rolled.map((time) => ({ time, position: "belowBar", shape: "arrowUp", color: paint.roll, size: 0.7 })) : [];
    const traded = shown.trades ? date.filter((day, i) => trades[day] && !(shown.rolls && points.is_rollover[i])).map((time) => ({ time, position: "inBar", shape: "circle", color: paint.trade, size: 0.5 })) : [];
    const holes = shown.gaps ? Object.keys(gaps).map((time) => ({ time, position: "atPriceMiddle", price: before(time), shape: "square", color: paint.gap, size: 0.6 })) : [];
    marks.setMarkers([...rolls, ...traded, ...holes].sort((a, b) => (a.time < b.time ? -1 : 1)));
  };

  // Far out, the arrows of years of rolls would hide the line: ticks take their place.
  const thin = (visible) => {
    const [from, to] = [times[Math.max(0, Math.ceil(visible.from))], times[Math.min(times.length - 1, Math.floor(visible.to))]];
    const now = rolled.filter((day) => day >= from && day <= to).length > 40;
    if (now === crowded) return;
    crowded = now;
    mark();
  };

  const colourIn = () => {
    paint = palette();
    chart.applyOptions(themed(paint));
    value.applyOptions({ color: paint.value });
    under.applyOptions({
      lineColor: paint.drawdown, topColor: faint(paint.drawdown, 0.06), bottomColor: faint(paint.drawdown, 0.25),
    });
    slope.applyOptions({ color: paint.delta });
    zero.forEach((line) => line.applyOptions({ color: paint.strong }));
    if (crowded !== null) mark();
  };
  colourIn();
  document.addEventListener("theme", colourIn);
  legends(chart, series, { points, drawdown, index, trades, gaps });
  chart.timeScale().subscribeVisibleLogicalRangeChange((visible) => { if (visible) thin(visible); });
  ranges(chart, tools, times, (from, to) => summary(points, from, to));
  toggles(chart, exo, shown, mark);
}

// One line of text at the top of each pane: the session under the crosshair, or the last one.
function legends(chart, series, { points, drawdown, index, trades, gaps }) {
  const { date, exo, delta } = points;
  const boxes = series.map(() => {
    const box = document.createElement("div");
    box.className = "legend";
    holder.append(box);
    return box;
  });
  const place = () => {
    const top = holder.getBoundingClientRect().top;
    chart.panes().forEach((pane, i) => {
      const element = pane.getHTMLElement();
      if (element) boxes[i].style.top = `${element.getBoundingClientRect().top - top + 6}px`;
    });
  };
  const sessions = spans(date, gaps);
  const parts = (i) => {
    const change = i > 0 ? exo[i] - exo[i - 1] : exo[i];
    const words = [];
    if (sessions[i] > 1) words.push(`over ${sessions[i]} sessions`);
    if (points.is_rollover[i]) words.push("roll");
    const count = trades[date[i]];
    if (count) words.push(count === 1 ? "1 trade" : `${count} trades`);
    if (points.stale_days[i]) words.push(`valued on a bar ${points.stale_days[i]} days old`);
    return [
      [date[i], `Value ${minus(money.format(exo[i]))}`, signed(change), ...words],
      [`Drawdown ${minus(money.format(drawdown[i]))}`],
      [`Delta ${signed(delta[i])}`],
    ];
  };
  const write = (lines) => boxes.forEach((box, pane) => {
    box.replaceChildren(...lines[pane].map((text, i) => {
      const part = document.createElement(i === 0 && pane === 0 ? "b" : "span");
      part.textContent = text;
      return part;
    }));
  });
  const latest = () => write(parts(date.length - 1));
  chart.subscribeCrosshairMove((event) => {
    if (event.time === undefined) return latest();
    if (index.has(event.time)) return write(parts(index.get(event.time)));
    return write([[event.time, `Gap: ${gaps[event.time] ?? "no value"}`], ["Drawdown –"], ["Delta –"]]);
  });
  latest();
  requestAnimationFrame(place);
  new ResizeObserver(place).observe(canvas);
  canvas.addEventListener("pointerup", () => requestAnimationFrame(place));
}

// Change and largest drawdown of the range that is shown.
function summary({ date, exo }, from, to) {
  let peak = -Infinity;
  let deepest = 0;
  let [first, end] = [-1, -1];
  for (let i = 0; i < date.length; i += 1) {
    if (date[i] < from || date[i] > to) continue;
    if (first < 0) first = i;
    end = i;
    peak = Math.max(peak, exo[i]);
    deepest = Math.min(deepest, exo[i] - peak);
  }
  const change = first < 0 ? null : exo[end] - exo[first];
  const cell = document.createElement("span");
  cell.className = change > 0 ? "gain" : change < 0 ? "loss" : "";
  cell.textContent = change === null ? "–" : signed(change);
  document.getElementById("range-change").replaceChildren(cell);
  document.getElementById("range-drawdown").textContent = minus(money.format(deepest));
}

function toggles(chart, exo, shown, mark) {
  const log = tools.querySelector("[data-toggle=log]");
  log.disabled = !exo.every((value) => value > 0);
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("[data-toggle]");
    if (!button) return;
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    if (button === log) {
      const { Logarithmic, Normal } = library.PriceScaleMode;
      chart.priceScale("right", 0).applyOptions({ mode: on ? Logarithmic : Normal });
    } else {
      shown[button.dataset.toggle] = on;
      mark();
    }
  });
}

await keepTrying(note, holder, async () => {
  needLibrary();
  const data = await read(holder.dataset.url);
  canvas.replaceChildren();                     // of a try that failed half way
  holder.querySelectorAll(".legend").forEach((box) => box.remove());
  draw(data);
  tools.hidden = false;
  // The frame after the one in which the chart paints: from here on the user sees it.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    holder.dataset.drawn = Math.round(performance.measure("chart-drawn", { start: 0 }).duration);
  }));
});
