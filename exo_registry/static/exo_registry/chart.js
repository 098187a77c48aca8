// The chart of one series: value, drawdown and delta panes. The page names the address of its data.
const holder = document.getElementById("chart");
const canvas = holder.querySelector(".chart-canvas");
const note = holder.querySelector(".chart-note");
const tools = document.getElementById("chart-tools");
const library = globalThis.LightweightCharts;

const DAY = 86_400_000;
const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const minus = (text) => text.replace("-", "\u2212");
const signed = (value, format = money) => (value > 0 ? "+" : "") + minus(format.format(value));
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

async function load() {
  const response = await fetch(holder.dataset.url);
  if (response.redirected || response.status === 401) throw new Error("You are logged out. Reload the page to log in.");
  if (!response.ok) throw new Error(`The server answered ${response.status}. Reload the page to try again.`);
  return response.json();
}

// Largest value so far, minus the value: zero or below. The series starts flat, so the first peak is at least 0.
function drawdowns(values) {
  let peak = 0;
  return values.map((value) => { peak = Math.max(peak, value); return value - peak; });
}

function palette() {
  return {
    value: colour("accent"), zero: colour("line-strong"), drawdown: colour("loss"), delta: colour("muted"),
    roll: colour("warn"), gap: colour("loss"), trade: colour("accent"), ink: colour("muted"),
    line: colour("line"), strong: colour("line-strong"), panel: colour("panel"),
  };
}

const themed = (paint) => ({
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
    under.applyOptions({ lineColor: paint.drawdown, topColor: `${paint.drawdown}10`, bottomColor: `${paint.drawdown}40` });
    slope.applyOptions({ color: paint.delta });
    zero.forEach((line) => line.applyOptions({ color: paint.strong }));
    if (crowded !== null) mark();
  };
  colourIn();
  document.addEventListener("theme", colourIn);
  legends(chart, series, { points, drawdown, index, trades, gaps });
  chart.timeScale().subscribeVisibleLogicalRangeChange((visible) => { if (visible) thin(visible); });
  ranges(chart, { date, exo, times });
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
  const parts = (i) => {
    const change = i > 0 ? exo[i] - exo[i - 1] : exo[i];
    const words = [];
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

// Range buttons and free zoom; ?from=&to= in the address, nothing for all.
function ranges(chart, { date, exo, times }) {
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

  const summary = (from, to) => {
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
  };

  let waiting = 0;
  const settle = () => {
    const visible = scale.getVisibleLogicalRange();
    if (!visible) return;
    const from = times[Math.max(0, Math.min(times.length - 1, Math.ceil(visible.from)))];
    const to = times[Math.max(0, Math.min(times.length - 1, Math.floor(visible.to)))];
    summary(from, to);
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

try {
  if (!library) throw new Error("The chart library is not installed. Run “npm ci” and “manage.py collectstatic”, then reload.");
  draw(await load());
  note.hidden = true;
  tools.hidden = false;
  // The frame after the one in which the chart paints: from here on the user sees it.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    holder.dataset.drawn = Math.round(performance.measure("chart-drawn", { start: 0 }).duration);
  }));
} catch (error) {
  note.textContent = error.message;
  holder.dataset.failed = "";
}
