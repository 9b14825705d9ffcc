// Makes elements. Nothing from a model or a dataset becomes markup, a link or a style:
// it becomes text nodes, or the value of an attribute that is read and never run.

const SVG = "http://www.w3.org/2000/svg";
const UNSEEN = new RegExp(
  "[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e" +
    "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb" +
    "\\ud800-\\udfff\\u{e0000}-\\u{e007f}]+|\\r(?!\\n)",
  "gu",
);
const SAFE = new Set(
  ("class id role title type tabindex scope open hidden for aria-label aria-hidden " +
    "aria-selected aria-setsize aria-posinset aria-activedescendant " +
    "viewBox width height x y x1 y1 x2 y2 cx cy r d points transform text-anchor").split(" "),
);

const byId = (id) => document.getElementById(id);

// One by one, for a text can be of more nodes than a call has arguments.
function filled(element, children) {
  for (const child of children.flat(Infinity)) if (child !== null && child !== "") element.append(child);
  return element;
}

function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    } else if (!SAFE.has(name)) {
      throw new Error(`attribute ${name} is not one that this page sets`);
    } else if (value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  return filled(element, children);
}

function el(tag, attributes = {}, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

// A link inside this page; the fragment is encoded here, so it can be nothing else.
function linkTo(fragment, ...children) {
  const link = el("a", {}, ...children);
  link.setAttribute("href", `#${fragment}`);
  return link;
}

function numbers(signs) {
  return [...signs].map((sign) => `U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`).join(" ");
}

// For places that hold text alone, as labels do.
function plain(text) {
  return text.replace(UNSEEN, (signs) => `⟨${numbers(signs)}⟩`);
}

// Nodes of a text, in which what would not be seen, or would reorder the rest, is.
function said(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(UNSEEN)) {
    if (found.index > end) nodes.push(text.slice(end, found.index));
    nodes.push(el("span", { class: "unseen", title: "characters that do not show" }, numbers(found[0])));
    end = found.index + found[0].length;
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
const counted = (n) => n.toLocaleString("en");
const plural = (n, one) => `${counted(n)} ${one}${n === 1 ? "" : "s"}`;

function short(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : value.toPrecision(2);
}
