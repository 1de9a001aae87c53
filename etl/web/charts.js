// Charts, drawn with uPlot on a canvas. Each has a slider for the keyboard and a table for those who do not see it.

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const COLOURS = 8;
const HEIGHT = 280;
const DAY = 86400;
// Between marks of time: whole months, and whole years, as uPlot counts them.
const STEPS = [...[1, 2, 3, 6].map((months) => months * 30 * DAY), ...[1, 2, 5, 10, 25].map((years) => years * 365 * DAY)];
const drawn = [];
const axisFont = () => `12px ${getComputedStyle(document.body).fontFamily}`;

// Canvases know no custom properties, so a colour is asked of an element that has it.
function colour(name) {
  const probe = element("span", { hidden: true });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// Beyond the colours the same ones are hatched: up, down, both ways.
const HATCHES = [[], [1], [-1], [1, -1]];
const seriesHatch = (number) => HATCHES[Math.floor(number / COLOURS) % HATCHES.length];
const seriesColour = (number) => colour(`series-${(number % COLOURS) + 1}`);
const seriesDash = (number) => DASHES[(number + Math.floor(number / COLOURS)) % DASHES.length];

// What an area is filled with: its colour, with stripes where that is another's too.
function seriesFill(number) {
  const paint = seriesColour(number);
  const slopes = seriesHatch(number);
  if (!slopes.length) return paint;
  const side = 9 * devicePixelRatio;
  const tile = element("canvas", { width: side, height: side });
  const ctx = tile.getContext("2d");
  ctx.fillStyle = paint;
  ctx.fillRect(0, 0, side, side);
  ctx.strokeStyle = colour("hatch");
  ctx.lineWidth = 2 * devicePixelRatio;
  for (const slope of slopes) {
    for (const shift of [-side, 0, side]) { // stripes go on from tile to tile
      ctx.beginPath();
      ctx.moveTo(shift - side, slope > 0 ? 2 * side : -side);
      ctx.lineTo(shift + 2 * side, slope > 0 ? -side : 2 * side);
      ctx.stroke();
    }
  }
  return ctx.createPattern(tile, "repeat");
}

// A chart of `spec`: { title, note, tables, kind: "lines", "stack" or "bars", series: [{ label, points }] }, where points
// are figures of these tables, one for each report. `chosen` tells which report is chosen, `choose` chooses one.
function chart(deal, spec, chosen, choose) {
  const series = spec.series.filter(({ points }) => points.some((figure) => figure?.value));
  const box = element("figure", { className: `chart kind-${spec.kind}` });
  box.append(element("figcaption", {}, element("h3", {}, spec.title, spec.badge ? element("span", { className: "badge" }, "derived") : "")));
  if (spec.formula) box.append(definitions([["Formula", spec.formula], ["From", spec.reference]]));
  if (spec.note) box.append(element("p", { className: "note" }, spec.note));
  const unread = deal.unreadReports(spec.tables);
  if (unread.length) box.append(unreadNote(unread.map(({ date }) => date)));
  if (!series.length) {
    if (unread.length < deal.reports.length) box.append(element("p", { className: "absent" }, spec.absent(deal)));
    return box;
  }
  const plot = element("div", { className: "plot", tabIndex: 0, role: "slider", "aria-label": `${spec.title}: report` });
  plot.setAttribute("aria-valuemin", "1");
  plot.setAttribute("aria-valuemax", String(deal.reports.length));
  const readout = element("div", { className: "readout" });
  const one = { deal, spec, series, plot, readout, chosen, choose, uplot: null };
  plot.addEventListener("keydown", (event) => onKey(one, event));
  box.append(plot, readout, chartTable(deal, spec, series));
  drawn.push(one);
  return box;
}

// Says that rows are lost: they must not look like what is not printed.
function unreadNote(dates, what = "Its rows") {
  const named = dates.length > 3 ? `${dates.length} reports` : dates.join(", ");
  return element("p", { className: "note warn unread" }, `${what} are ${UNREAD}${named ? `, of ${named}` : ""}: see `, element("a", { href: "#checks" }, "Checks that broke"), ".");
}

const pointButton = ({ deal, spec }, points, report) => figureButton(deal, points[report], deal.unread(report, spec.tables).length > 0);

// Drawn once it stands in the page, as its width is that of its place.
function draw(one) {
  one.uplot?.destroy();
  const width = Math.max(260, one.plot.clientWidth);
  one.uplot = new uPlot(options(one, width), data(one), one.plot);
  one.uplot.over.addEventListener("click", () => onClick(one));
  mark(one);
}

function drawAll() {
  drawn.forEach(draw);
}

function forgetCharts() {
  drawn.splice(0).forEach((one) => one.uplot?.destroy());
}

// Says which report is chosen: the line in the chart, the values beside it.
function mark(one) {
  const report = one.chosen();
  const isUnread = one.deal.unread(report, one.spec.tables).length > 0;
  const said = (figure) => (figure || !isUnread ? `${short(figure)}${figure && one.deal.fails(figure) ? ", a check fails" : ""}` : UNREAD);
  const values = one.series.map(({ label, points }) => `${label} ${said(points[report])}`);
  const date = day(one.deal.reports[report].date);
  one.plot.setAttribute("aria-valuenow", String(report + 1));
  one.plot.setAttribute("aria-valuetext", `${date}: ${values.slice(0, 12).join("; ")}`);
  const rows = one.series.map(({ label, points }, number) =>
    element("li", {}, swatch(one.spec.kind, number), element("span", { className: "name" }, label), pointButton(one, points, report)));
  one.readout.replaceChildren(element("p", {}, date), element("ul", {}, ...rows));
  one.uplot?.redraw(false); // the paths stay
}

function markAll() {
  drawn.forEach(mark);
}

function swatch(kind, number) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const ends = { x1: 0, x2: 22, y1: 6, y2: 6, "stroke-width": kind === "lines" ? 2.5 : 11 };
  Object.entries(ends).forEach(([name, value]) => line.setAttribute(name, value));
  line.setAttribute("class", `stroke-${(number % COLOURS) + 1}`);
  if (kind === "lines") line.setAttribute("stroke-dasharray", seriesDash(number).join(" "));
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("viewBox", "0 0 22 12");
  svg.append(line);
  if (kind !== "lines") svg.append(...seriesHatch(number).map(stripes));
  return svg;
}

// The hatch of a swatch, which is 22 wide and 12 high.
function stripes(slope) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const ways = [0, 8, 16].map((x) => (slope > 0 ? `M${x - 3} 11.5L${x + 8} .5` : `M${x - 3} .5L${x + 8} 11.5`));
  path.setAttribute("d", ways.join(""));
  path.setAttribute("class", "hatch");
  return path;
}

function chartTable(deal, spec, series) {
  const details = element("details", { className: "data" }, element("summary", {}, "Figures as a table"));
  const fill = () => {
    if (!details.open || details.querySelector("table")) return;
    const rows = deal.reports.map((report, number) =>
      element("tr", {}, element("th", { scope: "row" }, report.date), ...series.map(({ points }) => element("td", {}, pointButton({ deal, spec }, points, number)))));
    details.append(scrolling(table(["Report", ...series.map(({ label }) => label)], rows), `${spec.title}, as a table`));
  };
  details.addEventListener("toggle", fill);
  details.fill = fill;
  return details;
}

// --- what uPlot is given ---

// Reports of one date stand beside each other, within the day.
function seconds(report, _, reports) {
  const same = reports.filter(({ date }) => date === report.date);
  return Date.parse(`${report.date}T00:00:00Z`) / 1000 + (same.indexOf(report) * DAY) / same.length;
}

const number = (figure) => (figure?.value ? Number(figure.value) : null);

function data({ deal, spec, series }) {
  const columns = series.map(({ points }) => points.map(number));
  return [deal.reports.map(seconds), ...(spec.kind === "stack" ? stacked(columns) : columns)];
}

// Each on top of those below it; the whole of all first, so that the others are drawn over it.
function stacked(columns) {
  return columns.map((_, from) => columns[from].map((_, report) =>
    columns.slice(from).reduce((sum, column) => sum + (column[report] ?? 0), 0)));
}

function options(one, width) {
  const { spec, series } = one;
  const [ink, grid, ground] = ["ink-soft", "rule", "ground"].map(colour);
  const axis = { stroke: ink, font: axisFont(), grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  const unit = series[0].points.find((figure) => figure?.value).unit;
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, ...(spec.kind === "stack" ? { points: { show: false } } : {}) },
    tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
    scales: { x: { range: padded }, y: { range: (_, low, high) => fromZero(low, high, spec.kind) } },
    axes: [
      { ...axis, space: 70, incrs: STEPS, values: (_, stamps) => stamps.map(monthOf) },
      { ...axis, size: 64, values: (_, values) => values.map((value) => tick(value, unit)) },
    ],
    series: [{}, ...series.map(({ label }, place) => drawnAs(spec.kind, label, place, ground, one.deal.reports.length === 1))],
    // Lines go over the mark of the chosen report, all else under it.
    hooks: { [spec.kind === "lines" ? "drawAxes" : "draw"]: [(uplot) => markChosen(one, uplot)], setCursor: [(uplot) => hover(one, uplot)] },
  };
}

// One report alone makes no area, so it is a bar.
function drawnAs(kind, label, place, ground, alone) {
  const paint = seriesColour(place);
  const bars = { paths: uPlot.paths.bars({ size: [0.5, 60] }), points: { show: false } };
  if (kind === "stack") return { label, stroke: ground, width: 1, fill: seriesFill(place), ...(alone ? bars : { points: { show: false } }) };
  if (kind === "bars") return { label, stroke: paint, fill: paint, ...bars };
  return { label, stroke: paint, width: 2, dash: seriesDash(place), points: { show: true, size: 6, fill: ground } };
}

// Half a month on each side, so that one report alone has room.
function padded(uplot) {
  const stamps = uplot.data[0];
  const [low, high] = [stamps[0], stamps[stamps.length - 1]];
  const room = Math.max((high - low) * 0.03, 15 * DAY);
  return [low - room, high + room];
}

function fromZero(low, high, kind) {
  if (low === null || high === null) return [0, 1];
  if (kind !== "lines") return [Math.min(0, low * 1.08), high <= 0 ? (low < 0 ? 0 : 1) : high * 1.08];
  const room = (high - low) * 0.12 || Math.abs(high) * 0.1 || 0.5;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

function monthOf(stamp) {
  const date = new Date(stamp * 1000);
  return new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" }).format(date);
}

function tick(value, unit) {
  if (unit === "fraction") return `${Number((value * 100).toPrecision(6))}%`;
  const size = Math.abs(value);
  const [scale, name] = size >= 1e9 ? [1e9, "bn"] : size >= 1e6 ? [1e6, "m"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  return `${Number((value / scale).toPrecision(6))}${name}`;
}

// The chosen report, and the names of what is stacked where there is room for them.
function markChosen(one, uplot) {
  const { ctx, bbox } = uplot;
  const ratio = devicePixelRatio;
  const x = uplot.valToPos(uplot.data[0][one.chosen()], "x", true);
  ctx.save();
  ctx.strokeStyle = colour("ink");
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  if (one.spec.kind === "stack") nameStack(one, uplot, ratio);
  ctx.restore();
}

function nameStack({ series }, uplot, ratio) {
  const { ctx, data: columns } = uplot;
  const last = columns[0].length - 1;
  const right = uplot.valToPos(columns[0][last], "x", true) - 6 * ratio;
  ctx.font = `600 ${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colour("on-series");
  if (last === 0) return;
  series.forEach(({ label }, place) => {
    const top = uplot.valToPos(columns[place + 1][last], "y", true);
    const bottom = place + 2 < columns.length ? uplot.valToPos(columns[place + 2][last], "y", true) : uplot.valToPos(0, "y", true);
    if (bottom - top > 15 * ratio) ctx.fillText(label, right, (top + bottom) / 2);
  });
}

// --- what people do ---

function onKey(one, event) {
  const last = one.deal.reports.length - 1;
  const at = one.chosen();
  const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  one.choose(Math.min(last, Math.max(0, to)));
}

// A click chooses the report, and on a point shows where it is printed.
function onClick(one) {
  const near = nearest(one);
  if (!near) return;
  one.choose(near.report);
  if (near.figure) openFigure(one.deal, near.figure);
}

function nearest({ uplot, series, spec }) {
  const { idx: report, top } = uplot.cursor;
  if (report === null || report === undefined) return null;
  const heights = series.map((_, place) => uplot.data[place + 1][report]);
  const tops = heights.map((value) => (value === null ? Infinity : uplot.valToPos(value, "y")));
  let place;
  if (spec.kind === "stack") place = tops.findLastIndex((edge) => edge <= top);
  else if (spec.kind === "bars") place = top >= tops[0] - 8 ? 0 : -1;
  else place = tops.reduce((best, edge, at) => (Math.abs(edge - top) < Math.abs((tops[best] ?? Infinity) - top) ? at : best), 0);
  const far = spec.kind === "lines" && !(Math.abs(tops[place] - top) <= 24);
  return { report, label: series[place]?.label, figure: place < 0 || far ? null : series[place].points[report] };
}

function hover(one, uplot) {
  const near = one.uplot && uplot.cursor.left >= 0 ? nearest(one) : null;
  one.tip ??= element("div", { className: "tip", hidden: true, "aria-hidden": "true" });
  if (one.tip.parentNode !== uplot.over) uplot.over.append(one.tip);
  one.tip.hidden = !near?.figure;
  if (!near?.figure) return;
  one.tip.textContent = `${near.label}, ${one.deal.reports[near.report].date}: ${short(near.figure)}`;
  const { left, top } = uplot.cursor;
  one.tip.style.left = `${Math.min(left + 12, uplot.over.clientWidth - one.tip.offsetWidth)}px`;
  one.tip.style.top = `${Math.max(0, top - 30)}px`;
}
