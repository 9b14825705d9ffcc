// The items: rows for the list at once, texts when they are asked for.

function parsed(element) {
  const content = JSON.parse(element.textContent);
  element.remove();
  return content;
}

const { runs: RUNS, items: ITEMS, starts: STARTS, kinds: KINDS } = parsed(byId("index"));
const KIND = {
  right: { sign: "✓", name: "right" },
  wrong: { sign: "✗", name: "wrong" },
  tie: { sign: "=", name: "tie" },
  part: { sign: "◐", name: "partly right" },
  failed: { sign: "!", name: "failed" },
  "left-out": { sign: "–", name: "left out of the numbers" },
};

// Each item's place in the address. A lone surrogate cannot be in one; equal ones differ
// by a tilde at the end.
const byFragment = new Map();
ITEMS.forEach((item, place) => {
  let fragment = encodeURIComponent(item.id.toWellFormed()).replaceAll("'", "%27");
  while (byFragment.has(fragment)) fragment += "~";
  byFragment.set(fragment, place);
  item.fragment = fragment;
  item.place = place;
  item.idSought = item.id.toLowerCase();
});

function placeOf(hash) {
  const raw = hash.replace(/^#/, "");
  if (byFragment.has(raw)) return byFragment.get(raw);
  try {
    return byFragment.get(encodeURIComponent(decodeURIComponent(raw)).replaceAll("'", "%27"));
  } catch {
    return undefined; // a percent sign that encodes nothing
  }
}

const elements = [...document.querySelectorAll("script.block")];
const blocks = [];

function block(number) {
  if (!blocks[number]) {
    blocks[number] = parsed(elements[number]);
    elements[number] = null;
  }
  return blocks[number];
}

function textOf(number) {
  let low = 0;
  let high = STARTS.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (STARTS[middle] <= number) low = middle;
    else high = middle;
  }
  return block(low).texts[number - STARTS[low]];
}

function detailOf(item) {
  const [number, place] = item.at;
  return block(number).items[place];
}

// Searching: every text once in lower case, made in idle moments or at the first search.

const sought = [];

function prepare(number) {
  if (!sought[number]) {
    const { items, texts } = block(number);
    sought[number] = texts.map((text) => text.toLowerCase());
    items.forEach((detail) => { detail.uses = uses(detail); });
  }
}

function uses(detail) {
  const used = [...detail.prompt.map((turn) => turn[1]), ...(detail.responses ?? [])];
  for (const run of detail.runs) {
    for (const one of run?.judged ?? []) used.push(...one.texts.map((text) => text[1]));
  }
  return used;
}

function prepareIdly(number = 0) {
  if (number >= elements.length) return;
  requestIdleCallback(
    (deadline) => {
      do prepare(number++);
      while (number < elements.length && deadline.timeRemaining() > 8);
      prepareIdly(number);
    },
    { timeout: 2000 },
  );
}

// The places of the items that have the words in their id or in a text.
function search(words) {
  const wanted = words.toLowerCase();
  const hits = new Uint8Array(STARTS[STARTS.length - 1]);
  elements.forEach((_, number) => {
    prepare(number);
    sought[number].forEach((text, place) => {
      if (text.includes(wanted)) hits[STARTS[number] + place] = 1;
    });
  });
  return new Set(
    ITEMS.filter((item) => item.idSought.includes(wanted) || detailOf(item).uses.some((n) => hits[n]))
      .map((item) => item.place),
  );
}
