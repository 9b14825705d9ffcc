// The list of items: filtered, sorted, and drawn only where one looks.

const HEIGHT = 52; // pixels of a row, as the style sheet has it
const list = byId("list");
const spacer = byId("spacer");
const filters = byId("filters");
const state = { shown: [], at: -1, run: 0, found: null, words: "" };

function options(select, pairs) {
  select.replaceChildren(
    ...pairs.map(([value, name]) => {
      const option = el("option", {}, plain(name));
      option.value = value;
      return option;
    }),
  );
}

function counts(values) {
  const each = new Map();
  for (const value of values) each.set(value, (each.get(value) ?? 0) + 1);
  return each;
}

const inRun = () => ITEMS.filter((item) => item.runs[state.run]);

// What can be chosen depends on the run; what was chosen stays if it can.
function offer() {
  const items = inRun();
  const glances = items.map((item) => item.runs[state.run]);
  const kinds = counts(glances.map((each) => KINDS[each.kind]));
  const subsets = counts(items.map((item) => item.subset));
  const failures = counts(glances.flatMap((each) => each.failures));
  const kept = ["subset", "outcome", "failure", "against"].map((id) => [byId(id), byId(id).value]);
  options(byId("subset"), [["", "all"], ...[...subsets].sort().map(([name, n]) => [`=${name}`, `${name} (${n})`])]);
  options(byId("outcome"), [["", "all"], ...[...kinds].map(([kind, n]) => [kind, `${KIND[kind].name} (${n})`])]);
  options(byId("failure"), [["", "any or none"], ...[...failures].map(([kind, n]) => [kind, `${kind} (${n})`])]);
  options(byId("against"), [["", "no other run"], ...RUNS.flatMap(others)]);
  byId("failure-label").hidden = failures.size === 0;
  for (const [select, value] of kept) {
    select.value = value;
    if (select.selectedIndex < 0) select.value = "";
  }
}

function others(name, run) {
  if (run === state.run) return [];
  return [
    [`differs ${run}`, `another choice than ${name}`],
    [`won ${run}`, `right where ${name} is not`],
    [`lost ${run}`, `not right where ${name} is`],
  ];
}

const isRight = (glance) => KINDS[glance.kind] === "right";

function disagrees(item, how, other) {
  const one = item.runs[state.run];
  const two = item.runs[other];
  if (!two) return false;
  if (how === "differs") return String(one.winners) !== String(two.winners);
  return isRight(one) === (how === "won") && isRight(two) === (how === "lost");
}

function passes() {
  const subset = byId("subset").value.slice(1);
  const anySubset = byId("subset").value === "";
  const outcome = byId("outcome").value;
  const failure = byId("failure").value;
  const [how, other] = byId("against").value.split(" ");
  return (item) => {
    const glance = item.runs[state.run];
    return (
      glance &&
      (anySubset || item.subset === subset) &&
      (!outcome || KINDS[glance.kind] === outcome) &&
      (!failure || glance.failures.includes(failure)) &&
      (!how || disagrees(item, how, Number(other))) &&
      (!state.found || state.found.has(item.place))
    );
  };
}

const byNumber = (key) => (one, two) => key(one) - key(two) || one.place - two.place;
const margin = (item) => item.runs[state.run].margin;
const orLast = (value) => value ?? Infinity; // what has no margin is last
const SORTS = {
  order: byNumber((item) => item.place),
  wrong: byNumber((item) => orLast(margin(item))),
  right: byNumber((item) => (margin(item) === null ? Infinity : -margin(item))),
  close: byNumber((item) => (margin(item) === null ? Infinity : Math.abs(margin(item)))),
  long: byNumber((item) => -item.length),
  short: byNumber((item) => item.length),
  id: (one, two) => (one.id < two.id ? -1 : one.id > two.id ? 1 : one.place - two.place),
};

function refresh() {
  const words = byId("search").value.trim();
  if (words !== state.words) {
    state.words = words;
    state.found = words ? search(words) : null;
  }
  const opened = state.shown[state.at];
  state.shown = ITEMS.filter(passes()).sort(SORTS[byId("sort").value]);
  state.at = opened ? state.shown.indexOf(opened) : -1;
  const all = inRun().length;
  byId("found").textContent =
    state.shown.length === all ? plural(all, "item") : `${counted(state.shown.length)} of ${plural(all, "item")}`;
  byId("clear").hidden = state.shown.length === all;
  spacer.style.height = `${state.shown.length * HEIGHT}px`;
  list.scrollTop = 0;
  if (state.at >= 0) reveal(state.at);
  draw();
}

function clearFilters() {
  for (const id of ["search", "subset", "outcome", "failure", "against"]) byId(id).value = "";
  refresh();
}

function draw() {
  const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 6);
  const last = Math.min(state.shown.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 6);
  const rows = [];
  for (let place = first; place < last; place++) rows.push(rowOf(state.shown[place], place));
  spacer.replaceChildren(...rows);
  if (state.at >= first && state.at < last) list.setAttribute("aria-activedescendant", `row-${state.at}`);
  else list.removeAttribute("aria-activedescendant");
}

function rowOf(item, place) {
  const glance = item.runs[state.run];
  const signs = item.runs.map((each, run) => each && signOf(each, RUNS.length > 1 ? RUNS[run] : ""));
  const row = el(
    "div",
    {
      class: "row",
      role: "option",
      id: `row-${place}`,
      "aria-selected": String(place === state.at),
      "aria-setsize": state.shown.length,
      "aria-posinset": place + 1,
      on: { click: () => openItem(item) },
    },
    el("span", { class: "signs" }, signs),
    el("bdi", { class: "id" }, plain(item.id)),
    el("span", { class: "margin", title: "margin of the correct response" }, glance.margin === null ? "" : signed(glance.margin)),
    el("span", { class: "about" }, plain(item.subset), item.preview ? " · " : "", el("bdi", {}, plain(item.preview))),
  );
  row.style.transform = `translateY(${place * HEIGHT}px)`;
  return row;
}

const signed = (value) => (value > 0 ? `+${short(value)}` : short(value).replace("-", "−"));

function signOf(glance, run) {
  const kind = KINDS[glance.kind];
  const name = run ? `${plain(run)}: ${KIND[kind].name}` : KIND[kind].name;
  return el("span", { class: `kind sign kind-${kind}`, title: name, role: "img", "aria-label": name }, KIND[kind].sign);
}

function reveal(place) {
  const top = place * HEIGHT;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
}

function step(by) {
  if (!state.shown.length) return;
  const to = Math.min(state.shown.length - 1, Math.max(0, state.at + by));
  openItem(state.shown[to], { replace: true });
}
