// The legend is the filter: each entry shows or hides its part.  Only what the data has is listed.
import { overlayDash } from "./options.js";

const SVG = "http://www.w3.org/2000/svg";

const ENTRIES = [
  { key: "line", name: (data) => (data.mode === "buckets" ? "Mean" : "Value"), has: () => true, shape: ["line", { x1: 0, x2: 16, y1: 6, y2: 6, class: "swatch-line" }] },
  {
    key: "band",
    name: (data) => (data.mode === "buckets" ? "Least to largest" : "95 % interval"),
    has: (data) => data.low.some((value) => value !== null),
    shape: ["rect", { x: 0, y: 1, width: 16, height: 10, class: "swatch-band" }],
  },
  { key: "dots", name: "Builds", has: (data) => data.mode === "points", shape: ["circle", { cx: 8, cy: 6, r: 3.5, class: "swatch-dot" }] },
  { key: "unstable", name: "Unstable", has: (data) => data.unstable?.some(Boolean), shape: ["circle", { cx: 8, cy: 6, r: 3.5, class: "swatch-hollow" }] },
  { key: "regressed", name: "Regressed", has: (data) => data.marks.some((mark) => mark.kind === "regressed"), shape: ["polygon", { points: "8,0 14,11 2,11", class: "fill-regressed" }] },
  { key: "improved", name: "Improved", has: (data) => data.marks.some((mark) => mark.kind === "improved"), shape: ["polygon", { points: "8,0 14,6 8,12 2,6", class: "fill-improved" }] },
  { key: "environments", name: "Environment", has: (data) => data.environments.length > 0, shape: ["line", { x1: 8, x2: 8, y1: 0, y2: 12, class: "swatch-env" }] },
  { key: "notes", name: () => "Notes", has: (data) => data.notes.length > 0, shape: ["path", { d: "M4 12V0l8 3-8 3", class: "swatch-flag" }] },
];

export function everythingShown() {
  return Object.fromEntries(ENTRIES.map(({ key }) => [key, true]));
}

function swatch([tag, attributes]) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("width", "16");
  svg.setAttribute("height", "12");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  svg.append(shape);
  return svg;
}

// an overlay is named by what the case differs in; its box below takes it away again
function overlayEntry(other, index) {
  const entry = document.createElement("span");
  entry.className = "legend-overlay";
  const line = swatch(["line", { x1: 0, x2: 16, y1: 6, y2: 6, class: index % 2 ? "swatch-other-muted" : "swatch-other" }]);
  line.firstChild.setAttribute("stroke-dasharray", overlayDash(index));
  entry.append(line, other.words || other.label);
  return entry;
}

export function fillLegend(place, data, shown, overlays, changed) {
  const buttons = ENTRIES.filter((entry) => entry.has(data)).map((entry) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(shown[entry.key]));
    button.append(swatch(entry.shape), typeof entry.name === "function" ? entry.name(data) : entry.name);
    button.addEventListener("click", () => {
      shown[entry.key] = !shown[entry.key];
      button.setAttribute("aria-pressed", String(shown[entry.key]));
      changed();
    });
    return button;
  });
  place.replaceChildren(...buttons, ...overlays.map(overlayEntry));
}
