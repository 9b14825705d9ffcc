// A knockout's bracket, a round robin's ladder and its cross table.

const STEP = 30; // pixels between two players of a first round
const WIDE = 132; // pixels of a round

// Lays the tree out from its leaves: each match lies between its two players.
function laidOut(match, correct) {
  const marks = [];
  let leaf = 0;
  const player = (who, x, y, state) =>
    marks.push(svg("text", { class: `player ${state}`, x, y: y + 4 }, `${who}${correct.includes(who) ? " ✓" : ""}`));
  const visit = (one) => {
    const ends = one.players.map((who, side) => (one.before[side] ? visit(one.before[side]) : { round: 0, y: leaf++ * STEP }));
    const x = (one.round - 1) * WIDE;
    ends.forEach((end, side) => {
      const who = one.players[side];
      const state = one.winners.includes(who) ? "won" : "out";
      player(who, x + 12, end.y, correct.includes(who) && state === "won" ? "won good" : state);
      if (end.round < one.round - 1) marks.push(line(end.round * WIDE, end.y, x, end.y));
    });
    const y = (ends[0].y + ends[1].y) / 2;
    marks.push(joint(one, x, ends, y));
    return { round: one.round, y };
  };
  const end = visit(match);
  match.winners.forEach((who, place) => player(who, match.round * WIDE + 12, end.y + place * 16, correct.includes(who) ? "won good" : "won"));
  return { marks, leaves: leaf, rounds: match.round };
}

const line = (x1, y1, x2, y2) => svg("line", { class: "link", x1, y1, x2, y2 });

function joint(one, x, ends, y) {
  const [top, low] = ends.map((end) => end.y);
  const from = x + 56;
  const to = x + WIDE;
  const path = `M${from},${top}H${from + 30}V${low}H${from}M${from + 30},${y}H${to}`;
  return svg(
    "g",
    { class: "mark", tabindex: 0, role: "button", "aria-label": matchTold(one), on: toPair(one.players) },
    svg("path", { class: "link", d: path }),
    svg("rect", { class: "reach spot", x: from, y: top - 8, width: 44, height: low - top + 16 }),
    svg("text", { class: "axis", x: from + 34, y: y - 4 }, tallyOf(one.votes)),
  );
}

function tallyOf([first, second, tied, failed]) {
  return `${first}–${second}${tied ? ` =${tied}` : ""}${failed ? ` !${failed}` : ""}`;
}

function matchTold(one) {
  const [first, second, tied, failed] = one.votes;
  const rest = [tied ? `${tied} tied` : "", failed ? `${failed} failed` : ""].filter(Boolean);
  return `Round ${one.round}: ${one.players.join(" against ")}, votes ${first} to ${second}${rest.length ? `, ${rest.join(", ")}` : ""}; on goes ${one.winners.join(" and ")}`;
}

// Leads to the judgments of a pair.
function toPair(players) {
  const go = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    const key = players.toSorted((a, b) => a - b).join(" · ");
    const box = [...event.currentTarget.closest("section").querySelectorAll(".pair")].find((each) => each.dataset.pair === key);
    if (!box) return;
    event.stopPropagation();
    box.querySelectorAll("details").forEach((each) => { each.open = true; });
    box.scrollIntoView({ block: "center" });
    box.querySelector("summary")?.focus({ preventScroll: true });
  };
  return { click: go, keydown: go };
}

function bracketOf(final, correct) {
  const { marks, leaves, rounds } = laidOut(final, correct);
  const width = rounds * WIDE + 60;
  const height = (leaves - 1) * STEP + 24;
  const drawing = svg("svg", { width, height, viewBox: `-4 -12 ${width} ${height}`, role: "group", "aria-label": "Bracket" }, marks);
  drawing.style.maxWidth = "none";
  drawing.querySelectorAll(".mark").forEach(hinted);
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Bracket" }, drawing);
}

function ladderOf(standings, judged, correct) {
  const ratings = standings.map((each) => each.rating);
  const [low, high] = [Math.min(...ratings), Math.max(...ratings)];
  const at = (rating) => 56 + (high > low ? (280 * (rating - low)) / (high - low) : 140);
  const rows = standings.map((each, place) => rung(each, 16 + place * 22, at, correct));
  const height = standings.length * 22 + 10;
  const drawing = svg("svg", { width: 560, height, viewBox: `0 0 560 ${height}`, role: "img", "aria-label": "Ladder of ratings" }, rows);
  drawing.style.maxWidth = "none";
  return el(
    "div",
    {},
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Ladder" }, drawing),
    standings.length <= 16 ? crossTable(standings, judged, correct) : null,
  );
}

function rung(each, y, at, correct) {
  const good = correct.includes(each.response);
  const x = at(each.rating);
  return svg(
    "g",
    { class: good ? "kind-right" : "run-5" },
    svg("text", { class: good ? "won good" : "won", x: 0, y: y + 4 }, `${each.response}${good ? " ✓" : ""}`),
    svg("line", { class: "rule", x1: 56, x2: 336, y1: y, y2: y }),
    svg("circle", { class: "spot", cx: x, cy: y, r: 5 }),
    svg("text", { x: 352, y: y + 4 }, short(each.rating)),
    svg("text", { class: "axis", x: 420, y: y + 4 }, `won ${each.won}, lost ${each.lost}${each.tied ? `, tied ${each.tied}` : ""}`),
  );
}

function crossTable(standings, judged, correct) {
  const games = Map.groupBy(judged.filter((one) => !one.role && one.order.length === 2), groupOf);
  const players = standings.map((each) => each.response);
  const head = players.map((who) => el("th", { scope: "col" }, String(who)));
  const rows = players.map((who) =>
    el("tr", {}, el("th", { scope: "row" }, `${who}${correct.includes(who) ? " ✓" : ""}`), players.map((other) => cell(who, other, games))),
  );
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Games, row against column" },
    el("table", { class: "cross" }, el("thead", {}, el("tr", {}, el("td", {}), head)), el("tbody", {}, rows)),
  );
}

function cell(who, other, games) {
  const played = games.get([who, other].toSorted((a, b) => a - b).join(" · "));
  if (who === other || !played) return el("td", { class: "soft" }, who === other ? "·" : "");
  const points = played.filter((one) => one.scores).map((one) => {
    const [mine, theirs] = [one.scores[one.order.indexOf(who)], one.scores[one.order.indexOf(other)]];
    return mine > theirs ? 1 : mine < theirs ? 0 : 0.5;
  });
  const won = points.reduce((sum, each) => sum + each, 0);
  const lost = points.length - won;
  const name = won > lost ? "won" : won < lost ? "lost" : "soft";
  const told = points.length ? `${won}–${lost}`.replaceAll(".5", "½").replaceAll("0½", "½") : "!";
  const label = `${who} against ${other}: ${told}`;
  return el("td", {}, el("button", { type: "button", class: `link ${name}`, "aria-label": label, on: toPair([who, other]) }, told));
}
