// Charts of the overview; each mark can be pointed at, or reached with the keyboard.

const CHARTS = parsed(byId("charts"));
const SHAPES = [
  (x, y) => svg("circle", { class: "spot", cx: x, cy: y, r: 4.5 }),
  (x, y) => svg("rect", { class: "spot", x: x - 4, y: y - 4, width: 8, height: 8 }),
  (x, y) => svg("path", { class: "spot", d: `M${x},${y - 6}l6,6l-6,6l-6,-6z` }),
  (x, y) => svg("path", { class: "spot", d: `M${x},${y - 6}l6,10h-12z` }),
];
const spot = (run, x, y) => SHAPES[run % SHAPES.length](x, y);
const colour = (run) => `run-${run % 6}`;
const hint = byId("hint");

// Shows a mark's label beside it while it is pointed at or has the focus.
function hinted(mark) {
  const place = () => {
    hint.textContent = mark.getAttribute("aria-label");
    hint.hidden = false;
    const box = mark.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left), innerWidth - hint.offsetWidth - 8);
    const above = box.top - hint.offsetHeight - 8;
    hint.style.left = `${Math.max(8, left)}px`;
    hint.style.top = `${above > 8 ? above : box.bottom + 8}px`;
  };
  const hide = () => { hint.hidden = true; };
  mark.addEventListener("mouseenter", place);
  mark.addEventListener("focus", place);
  mark.addEventListener("mouseleave", hide);
  mark.addEventListener("blur", hide);
}

function mark(label, name, go, ...shapes) {
  const attributes = { class: `mark ${name}`, tabindex: 0, role: go ? "button" : "img", "aria-label": plain(label) };
  if (go) attributes.on = { click: go, keydown: (event) => event.key === "Enter" && go() };
  return svg("g", attributes, ...shapes);
}

function put(id, height, draw, legend = null) {
  const figure = byId(id);
  const width = Math.max(280, Math.min(640, figure.clientWidth || 560));
  figure.querySelectorAll(":scope > svg, :scope > .legend").forEach((old) => old.remove());
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group" }, draw(width));
  drawing.querySelectorAll(".mark").forEach(hinted);
  if (legend) figure.append(legend);
  figure.append(drawing);
}

function legendOf(entries) {
  return el("div", { class: "legend" }, entries.map(([name, label, shape]) =>
    el("span", {}, svg("svg", { width: 14, height: 14, viewBox: "0 0 14 14", class: name, "aria-hidden": "true" }, shape), el("bdi", {}, plain(label)))));
}

const runsLegend = () => (RUNS.length > 1 ? legendOf(RUNS.map((name, run) => [colour(run), name, spot(run, 7, 7)])) : null);

const interval = (part) => `${percent(part.accuracy)} (${percent(part.accuracy_low)} to ${percent(part.accuracy_high)})`;

function clipped(text, characters) {
  const shown = plain(text);
  return shown.length > characters ? `${shown.slice(0, characters - 1)}…` : shown;
}

function ticks(at, bottom, values = [0, 0.25, 0.5, 0.75, 1]) {
  return values.flatMap((value) => [
    svg("line", { class: "rule", x1: at(value), x2: at(value), y1: 0, y2: bottom }),
    svg("text", { class: "axis", x: at(value), y: bottom + 16, "text-anchor": "middle" }, `${100 * value}`),
  ]);
}

// The headline, sections and subsets: a dot and a whisker for each run.
function drawParts() {
  const parts = CHARTS.parts.filter((part) => part.runs.some(Boolean));
  let bottom = 2;
  for (const part of parts) {
    part.top = bottom;
    part.size = Math.max(20, 9 * part.runs.filter(Boolean).length + 10);
    bottom += part.size;
  }
  put("chart-parts", bottom + 24, (width) => {
    const left = Math.min(150, width * 0.36);
    const at = (value) => left + value * (width - left - 14);
    return [ticks(at, bottom + 2), parts.map((part) => partRow(part, part.top + part.size / 2, at, left))];
  }, runsLegend());
}

function partRow(part, y, at, left) {
  const there = part.runs.map((run, which) => ({ run, which })).filter(({ run }) => run);
  const marks = there.map(({ run, which }, place) => {
    const own = y + 9 * (place - (there.length - 1) / 2);
    const label = `${part.name}${RUNS.length > 1 ? `, ${RUNS[which]}` : ""}\n${interval(run)}, n ${counted(run.n)}`;
    const go = part.kind === "subsets" ? () => read(which, { subset: `=${part.name}` }) : null;
    return mark(label, colour(which), go,
      svg("rect", { class: "reach", x: at(run.accuracy_low) - 6, y: own - 5, width: at(run.accuracy_high) - at(run.accuracy_low) + 12, height: 10 }),
      svg("line", { class: "whisker", x1: at(run.accuracy_low), x2: at(run.accuracy_high), y1: own, y2: own }),
      spot(which, at(run.accuracy), own));
  });
  const name = clipped(part.name, Math.floor(left / 6.6));
  return [svg("text", { x: left - 12, y: y + 4, "text-anchor": "end", class: part.kind === "subsets" ? "" : "won" }, name), marks];
}

// What became of the examples: a bar for each run.
function drawKinds() {
  const row = RUNS.length > 1 ? 44 : 30;
  const present = [...KINDS].reverse().filter((kind) => CHARTS.kinds.some((run) => run[kind]));
  const legend = legendOf(present.map((kind) => [`kind-${kind}`, `${KIND[kind].sign} ${KIND[kind].name}`, svg("rect", { class: "spot", x: 1, y: 2, width: 11, height: 11 })]));
  put("chart-kinds", CHARTS.kinds.length * row, (width) => CHARTS.kinds.map((run, which) => {
    const total = Object.values(run).reduce((sum, n) => sum + n, 0);
    const top = which * row + (RUNS.length > 1 ? 16 : 0);
    let x = 0;
    const bars = present.filter((kind) => run[kind]).map((kind) => {
      const size = (run[kind] / total) * width;
      x += size;
      return kindBar(kind, run[kind], total, { x: x - size, top, size, which });
    });
    return [RUNS.length > 1 ? svg("text", { x: 0, y: top - 5 }, clipped(RUNS[which], Math.floor(width / 7))) : null, bars].filter(Boolean);
  }), legend);
}

function kindBar(kind, n, total, { x, top, size, which }) {
  const label = `${RUNS.length > 1 ? `${RUNS[which]}: ` : ""}${counted(n)} ${KIND[kind].name}, ${percent(n / total)}`;
  const shapes = [svg("rect", { class: "spot", x, y: top, width: Math.max(1, size - 1), height: 22 })];
  if (size > 44) {
    const count = svg("text", { x: x + 7, y: top + 15, class: "on-bar" }, `${KIND[kind].sign} ${counted(n)}`);
    shapes.push(count);
  }
  return mark(label, `kind-${kind}`, () => read(which, { outcome: kind }), ...shapes);
}

// Accuracy by margin: points from the smallest margins to the largest.
function drawMargins() {
  if (CHARTS.margins.every((bins) => bins.length < 2)) return false;
  put("chart-margins", 236, (width) => {
    const at = (share) => 34 + share * (width - 46);
    const up = (value) => 8 + (1 - value) * 186;
    const marks = CHARTS.margins.map((bins, run) => curve(bins, run, at, up));
    return [levels(up, width), svg("text", { class: "axis", x: 34, y: 226 }, "closest calls"), svg("text", { class: "axis", x: width - 12, y: 226, "text-anchor": "end" }, "largest margins (share of items)"), marks];
  }, runsLegend());
  return true;
}

function levels(up, width) {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
    svg("line", { class: "rule", x1: 34, x2: width - 12, y1: up(value), y2: up(value) }),
    svg("text", { class: "axis", x: 28, y: up(value) + 4, "text-anchor": "end" }, `${100 * value}`),
  ]);
}

function curve(bins, run, at, up) {
  const total = bins.reduce((sum, bin) => sum + bin.n, 0);
  let before = 0;
  const points = bins.map((bin) => {
    const x = at((before + bin.n / 2) / total);
    before += bin.n;
    return { x, y: up(bin.accuracy), bin };
  });
  const path = points.map(({ x, y }, place) => `${place ? "L" : "M"}${x},${y}`).join("");
  return [
    svg("path", { class: `whisker ${colour(run)}`, d: path }),
    points.map(({ x, y, bin }) => {
      const size = bin.low === bin.high ? short(bin.low) : `${short(bin.low)} to ${short(bin.high)}`;
      const label = `${RUNS.length > 1 ? `${RUNS[run]}\n` : ""}margin ${size}, n ${counted(bin.n)}\n${interval(bin)}`;
      return mark(label, colour(run), null,
        svg("line", { class: "whisker", x1: x, x2: x, y1: up(bin.accuracy_low), y2: up(bin.accuracy_high) }), spot(run, x, y));
    }),
  ];
}

// Accuracy by the judge's confidence, where the results have calibration in bins.
function drawCalibration() {
  const isNumber = (value) => typeof value === "number";
  const each = CHARTS.calibration.map((run) => (Array.isArray(run?.bins) ? run.bins : []).filter((bin) => bin && isNumber(bin.confidence) && isNumber(bin.accuracy)));
  if (each.every((bins) => bins.length === 0)) return false;
  const least = Math.min(...each.flat().map((bin) => bin.confidence)) >= 0.5 ? 0.5 : 0;
  put("chart-calibration", 236, (width) => {
    const at = (value) => 34 + ((value - least) / (1 - least)) * (width - 46);
    const up = (value) => 8 + (1 - value) * 186;
    const marks = each.map((bins, run) => [
      bins.length ? svg("path", { class: `whisker ${colour(run)}`, d: bins.map((bin, place) => `${place ? "L" : "M"}${at(bin.confidence)},${up(bin.accuracy)}`).join("") }) : null,
      ...bins.map((bin) => mark(`${RUNS.length > 1 ? `${RUNS[run]}\n` : ""}confidence ${percent(bin.confidence)}\naccuracy ${percent(bin.accuracy)}${isNumber(bin.n) ? `, n ${counted(bin.n)}` : ""}`, colour(run), null, spot(run, at(bin.confidence), up(bin.accuracy)))),
    ].filter(Boolean));
    return [levels(up, width), svg("line", { class: "zero", x1: at(least), y1: up(least), x2: at(1), y2: up(1) }),
      svg("text", { class: "axis", x: 34, y: 226 }, `confidence ${100 * least} %`), svg("text", { class: "axis", x: width - 12, y: 226, "text-anchor": "end" }, "100 %"), marks];
  }, runsLegend());
  return true;
}

function drawCharts() {
  byId("chart-parts").hidden = byId("chart-kinds").hidden = false;
  drawParts();
  drawKinds();
  for (const [id, draw] of [["chart-margins", drawMargins], ["chart-calibration", drawCalibration]]) {
    byId(id).hidden = false;
    byId(id).hidden = !draw();
  }
}
