// Views, addresses, keys, the theme.

const views = { overview: byId("overview"), judgments: byId("judgments") };
const narrow = matchMedia("(max-width: 56rem)");

function view(name) {
  for (const [each, element] of Object.entries(views)) {
    element.hidden = each !== name;
    if (each === name) byId(`to-${each}`).setAttribute("aria-current", "page");
    else byId(`to-${each}`).removeAttribute("aria-current");
  }
  if (name === "judgments") draw();
  else if (!drawn) { drawn = true; drawCharts(); }
}
let drawn = false;

// Opens an item; its address is new in the history, or takes the last one's place.
function openItem(item, { replace = false, address = true } = {}) {
  if (views.judgments.hidden) view("judgments");
  if (!item.runs[state.run]) choose(item.runs.findIndex(Boolean));
  if (!state.shown.includes(item)) clearFilters();
  state.at = state.shown.indexOf(item);
  document.body.classList.add("reading");
  reveal(state.at);
  draw();
  show(item);
  if (narrow.matches) scrollTo(0, 0);
  if (address) history[replace ? "replaceState" : "pushState"](null, "", `#${item.fragment}`);
}

function back() {
  document.body.classList.remove("reading");
  draw();
  list.focus({ preventScroll: true });
}

function choose(run) {
  state.run = run;
  byId("run").value = String(run);
  offer();
  refresh();
}

// Leads from the overview to the items that a number counts.
function read(run, chosen) {
  view("judgments");
  document.body.classList.remove("reading");
  choose(run);
  for (const id of ["search", "subset", "outcome", "failure", "against"]) byId(id).value = chosen[id] ?? "";
  refresh();
  list.focus();
}

function follow() {
  const place = placeOf(location.hash);
  if (place !== undefined) openItem(ITEMS[place], { address: false });
  else if (location.hash.length > 1) {
    view("judgments");
    article.replaceChildren(el("p", { class: "empty" }, "No item of this page has that address."));
  } else view("overview");
}

const inField = (event) => /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
const pageOf = () => Math.max(1, Math.floor(list.clientHeight / HEIGHT) - 1);
const KEYS = { j: () => step(1), k: () => step(-1), "/": () => { view("judgments"); document.body.classList.remove("reading"); byId("search").focus(); byId("search").select(); } };
const LIST_KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  PageDown: () => step(pageOf()),
  PageUp: () => step(-pageOf()),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  Enter: () => { if (state.at < 0) step(1); article.focus(); },
};

function leave(event) {
  hint.hidden = true;
  if (event.target === byId("search")) {
    byId("search").value = "";
    refresh();
    list.focus();
  } else if (!views.judgments.hidden) back();
}

function keyed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return leave(event);
  if (event.target === byId("search") && event.key === "ArrowDown") {
    event.preventDefault();
    return list.focus();
  }
  if (inField(event)) return;
  const own = event.target === list ? LIST_KEYS[event.key] : undefined;
  const common = event.key === "/" || !views.judgments.hidden ? KEYS[event.key] : undefined;
  const run = own ?? common;
  if (!run) return;
  event.preventDefault();
  run();
}

function themed() {
  const theme = byId("theme");
  try {
    theme.value = localStorage.getItem("rrm-harness-theme") ?? "";
  } catch { /* a file may have no storage */ }
  const apply = () => { document.documentElement.dataset.theme = theme.value; };
  theme.addEventListener("change", () => {
    apply();
    try { localStorage.setItem("rrm-harness-theme", theme.value); } catch { /* as above */ }
  });
  apply();
}

let waiting = 0;
byId("search").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 40);
});
filters.addEventListener("submit", (event) => event.preventDefault());
for (const id of ["subset", "outcome", "failure", "against", "sort"]) byId(id).addEventListener("change", refresh);
byId("run").addEventListener("change", () => choose(Number(byId("run").value)));
byId("clear").addEventListener("click", clearFilters);
byId("to-overview").addEventListener("click", () => { history.pushState(null, "", "#"); view("overview"); });
byId("to-judgments").addEventListener("click", () => { view("judgments"); list.focus(); });
document.querySelectorAll("button[data-how]").forEach((button) =>
  button.addEventListener("click", () => read(Number(button.dataset.one), { against: `${button.dataset.how} ${button.dataset.other}` })));
list.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
document.addEventListener("keydown", keyed);
addEventListener("hashchange", follow);
addEventListener("popstate", follow);
addEventListener("resize", () => { if (views.overview.hidden) draw(); else drawCharts(); });

themed();
offer();
refresh();
follow();
prepareIdly();
