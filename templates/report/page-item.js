// One item: its prompt, its responses, and what each run's judge said.

const MUCH = 20000; // characters that are shown of a text before one asks for all
const PIECE = 8000; // characters of a very long text that are laid out together
const FEW = 2; // judgments that stand open
const article = byId("item");

function show(item) {
  const detail = detailOf(item);
  article.replaceChildren(
    header(item),
    results(item, detail),
    promptOf(detail),
    responsesOf(item, detail),
    ...detail.runs.map((run, place) => run && judgmentsOf(run, place, detail)).filter(Boolean),
  );
  article.scrollTop = 0;
  article.setAttribute("aria-label", `Item ${plain(item.id)}`);
}

function header(item) {
  return el(
    "header",
    { class: "head" },
    el("button", { class: "back", type: "button", on: { click: back } }, "‹ list"),
    el("h2", {}, el("bdi", {}, said(item.id))),
    el("button", { type: "button", "aria-label": "previous item", on: { click: () => step(-1) } }, "‹"),
    el("button", { type: "button", "aria-label": "next item", on: { click: () => step(1) } }, "›"),
    linkTo(item.fragment, "link to this item"),
  );
}

function results(item, detail) {
  const rows = detail.runs.map((run, place) => run && resultRow(item, run, place)).filter(Boolean);
  return el(
    "div",
    { class: "results scroll" },
    el("p", { class: "small soft" }, "subset ", el("bdi", {}, said(item.subset)), detail.cluster === item.id ? "" : " · prompt ", detail.cluster === item.id ? "" : el("bdi", {}, said(detail.cluster))),
    el("table", { class: "narrow" }, el("tbody", {}, rows)),
  );
}

function resultRow(item, run, place) {
  const glance = item.runs[place];
  const kind = KINDS[glance.kind];
  const notes = Object.entries(run.notes).map(([name, n]) => `${name.replaceAll("_", " ")} ${n}`);
  const chose = run.failure ? `no outcome: ${run.failure}` : `chose ${run.winners.join(" and ")}`;
  return el(
    "tr",
    {},
    RUNS.length > 1 ? el("th", { scope: "row" }, el("bdi", {}, plain(RUNS[place]))) : null,
    el("td", { class: `kind kind-${kind}` }, `${KIND[kind].sign} ${KIND[kind].name}`),
    el("td", {}, chose),
    el("td", { class: "number" }, run.credit === null ? "no credit" : `credit ${short(run.credit)}`),
    el("td", { class: "number" }, glance.margin === null ? "" : `margin ${signed(glance.margin)}`),
    el("td", { class: "soft" }, plain(notes.join(", "))),
  );
}

function promptOf(detail) {
  const turns = detail.prompt.map(([role, text]) =>
    el("div", { class: "turn" }, el("p", { class: "role" }, plain(role)), textBox(textOf(text))),
  );
  return el("section", {}, el("h3", {}, "Prompt"), turns.length ? turns : el("p", { class: "soft" }, "The dataset could not be read again, so its texts are not here."));
}

function responsesOf(item, detail) {
  const several = detail.runs.find(Boolean);
  const n = detail.responses?.length ?? detail.lengths?.length ?? several.scores?.length ?? 0;
  const places = [...Array(n).keys()];
  return el(
    "section",
    {},
    el("h3", {}, "Responses"),
    el("div", { class: n > 2 ? "cards many" : "cards" }, places.map((place) => card(place, n, detail))),
  );
}

function card(place, n, detail) {
  const correct = detail.correct.includes(place);
  const chosen = detail.runs.map((run, which) => run?.winners.includes(place) && which).filter(Number.isInteger);
  const top = [
    el("b", {}, `response ${place}`),
    correct ? el("span", { class: "tag right" }, "✓ correct") : null,
    ...chosen.map((which) => el("span", { class: correct ? "tag right" : "tag wrong" }, RUNS.length > 1 ? `chosen by ${plain(RUNS[which])}` : "chosen by the judge")),
    el("span", { class: "soft" }, scoresOf(place, detail)),
    detail.lengths ? el("span", { class: "soft" }, plural(detail.lengths[place], "character")) : null,
  ];
  const name = correct ? "card correct" : "card";
  const body = () => (detail.responses ? textBox(textOf(detail.responses[place])) : "");
  if (n <= 2) return el("div", { class: name }, el("header", {}, top), body());
  return folded(name, top, body, false);
}

function scoresOf(place, detail) {
  const scores = detail.runs.map((run) => run?.scores?.[place]).filter((score) => typeof score === "number");
  return scores.length ? `score ${scores.map(short).join(", ")}` : "";
}

// A detail whose content is made when it is first opened.
function folded(name, top, body, open) {
  const details = el("details", { class: name }, el("summary", {}, top));
  const fill = () => { if (details.open && details.children.length === 1) details.append(body()); };
  details.addEventListener("toggle", fill);
  details.open = open;
  if (open) fill();
  return details;
}

// A text; of a very long one the beginning, and all of it at a click.
function textBox(text, marks = []) {
  const box = el("div", { class: "text", role: "group" }, marked(text.slice(0, MUCH), marks));
  if (text.length <= MUCH) return box;
  const more = el("button", { type: "button", class: "more" }, `show all ${counted(text.length)} characters`);
  more.addEventListener("click", () => {
    box.replaceChildren(...pieces(text).map(([from, to]) => piece(text, from, to, marks)));
    more.remove();
  });
  return el("div", {}, box, more);
}

// Where to cut a very long text: after a line, and only a line that is too long itself
// within. The browser lays out the pieces that are on the screen.
function pieces(text) {
  const cuts = [];
  for (let from = 0; from < text.length; ) {
    const end = Math.min(text.length, from + PIECE);
    const line = end < text.length ? text.lastIndexOf("\n", end - 1) + 1 : end;
    const to = line > from ? line : end - (/[\ud800-\udbff]/.test(text[end - 1]) ? 1 : 0);
    cuts.push([from, to]);
    from = to;
  }
  return cuts;
}

function piece(text, from, to, marks) {
  const inside = marks.filter(([begin, end]) => begin >= from && end <= to);
  const moved = inside.map((mark) => mark.map((place) => place - from));
  return el("div", { class: "piece" }, marked(text.slice(from, to), moved));
}

// Marks are [begin, end] places; what reads as the verdict is between them.
function marked(text, marks) {
  const nodes = [];
  let end = 0;
  for (const [from, to] of marks) {
    if (from < end || to > text.length) continue;
    nodes.push(said(text.slice(end, from)), el("mark", { title: "read as the verdict" }, said(text.slice(from, to))));
    end = to;
  }
  return [...nodes, said(text.slice(end))];
}

function judgmentsOf(run, place, detail) {
  const name = RUNS.length > 1 ? [`Judgments of `, el("bdi", {}, plain(RUNS[place]))] : ["Judgments"];
  const groups = Map.groupBy(run.judged, groupOf);
  const open = run.judged.length <= FEW;
  return el(
    "section",
    {},
    el("h3", {}, name, el("span", { class: "soft" }, ` · ${plural(run.judged.length, "comparison")}`)),
    run.final ? bracketOf(run.final, detail.correct) : null,
    run.ladder ? ladderOf(run.ladder, run.judged, detail.correct) : null,
    [...groups].map(([key, votes]) => group(key, votes, detail, open)),
  );
}

function groupOf(one) {
  const players = one.order.toSorted((a, b) => a - b).join(" · ");
  return one.role ? `${one.role}: ${players}` : players;
}

function group(key, votes, detail, open) {
  const [first] = votes;
  const sides = new Set(votes.map((each) => String(each.order))).size;
  const title = first.role === "policy" ? "The policy's answers" : first.role === "meta" ? `The meta judge on ${key.slice(6)}` : first.order.length === 1 ? `Response ${key}` : `Responses ${key}`;
  const how = [votes.length > 1 ? plural(votes.length, "vote") : "", sides > 1 ? "in more than one order" : ""];
  const box = el("div", { class: "pair" }, el("h4", {}, title, el("span", { class: "soft" }, ` ${how.filter(Boolean).join(", ")}`)));
  box.dataset.pair = key;
  box.append(...votes.map((each) => vote(each, detail, open)));
  return box;
}

function vote(one, detail, open) {
  const top = [
    el("span", {}, verdict(one, detail)),
    el("span", { class: "soft" }, `shown ${one.order.join(", ")}`),
    one.sample ? el("span", { class: "soft" }, `sample ${one.sample}`) : null,
    el("span", { class: "scores" }, one.scores ? one.scores.map(short).join("  ") : ""),
  ];
  if (!one.texts.length) return el("div", { class: "vote" }, el("div", { class: "line" }, top));
  return folded("vote", top, () => el("div", {}, one.texts.map((text) => reply(text, one))), open);
}

function verdict(one, detail) {
  if (one.failure) return el("span", { class: "kind kind-failed" }, `! ${one.failure}`);
  if (one.role === "meta" || one.scores.length === 1) return `scored ${short(one.scores[0])}`;
  const best = Math.max(...one.scores);
  const winners = one.order.filter((_, place) => one.scores[place] === best);
  if (winners.length > 1) return el("span", { class: "kind kind-tie" }, `= tie of ${winners.join(", ")}`);
  const right = one.order.filter((who) => detail.correct.includes(who)).length;
  if (right === 0 || right === one.order.length) return `response ${winners[0]}`; // no right choice to make
  const kind = detail.correct.includes(winners[0]) ? "right" : "wrong";
  return el("span", { class: `kind kind-${kind}` }, `${KIND[kind].sign} response ${winners[0]}`);
}

// What a judge wrote: the thought apart, the verdict marked.
function reply([shown, number, thought, marks], one) {
  const text = textOf(number);
  const begin = thought + text.slice(thought).search(/\S|$/); // blank lines say nothing
  const answer = marks.map((mark) => mark.map((place) => place - begin));
  return el(
    "div",
    { class: "said" },
    shown.length < one.order.length ? el("p", { class: "role" }, `on response ${shown.join(", ")}`) : null,
    thought ? folded("thought", [`thinking, ${plural(thought, "character")}`], () => textBox(text.slice(0, thought)), thought < 4000) : null,
    textBox(text.slice(begin), answer),
  );
}
