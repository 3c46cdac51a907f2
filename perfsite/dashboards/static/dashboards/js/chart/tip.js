// The tooltip: commit, subject, author, time, value, change against the one before, where to go.
// Everything a watched repository sent is set as text, never as markup.
import { agoText } from "../times.js";
import { changeText, withUnit } from "./text.js";

const MARGIN = 14;

function line(className, ...parts) {
  const paragraph = document.createElement("p");
  paragraph.className = className;
  paragraph.append(...parts);
  return paragraph;
}

function link(href, text) {
  const anchor = document.createElement("a");
  anchor.href = href;
  anchor.textContent = text;
  return anchor;
}

function mono(text) {
  const span = document.createElement("span");
  span.className = "mono";
  span.textContent = text;
  return span;
}

// a place that the page's own template knows the form of: `/runs/0/` with the number put in
function filledIn(template, id) {
  return template.replace("/0/", `/${id}/`);
}

function links(data, index, urls, diff) {
  const found = [link(filledIn(urls.run, data.run[index]), "Run"), link(`${filledIn(urls.run, data.run[index])}#jobs`, "Log")];
  if (diff && index > 0) {
    const address = diff.replace("BASE", data.sha[index - 1]).replace("HEAD", data.sha[index]);
    const outside = link(address, "Diff");
    outside.rel = "noreferrer";
    found.push(outside);
  }
  if (urls.point) found.push(link(`${urls.point}?build=${data.build[index]}#point`, "Samples, notes, actions"));
  return found;
}

function pointLines(data, index, urls, diff) {
  const lines = [line("tip-subject", data.subject[index] || "no subject")];
  const when = data.time[index] && new Date(data.time[index]);
  const ago = when ? agoText(when) ?? when.toLocaleDateString() : "";
  const who = [data.author[index], ago].filter(Boolean).join(", ");
  lines.push(line("meta", mono(data.sha[index]), who ? ` by ${who}` : ""));
  lines.push(line("tip-value num", withUnit(data.value[index], data.unit)));
  if (data.low[index] !== null) {
    const interval = `${withUnit(data.low[index], "")} to ${withUnit(data.high[index], data.unit)}`;
    lines.push(line("meta num", `95 % interval ${interval}, ${data.n[index].toLocaleString("en-US")} samples`));
  }
  if (data.delta[index]) lines.push(line("num", `${changeText(data.delta[index])} against the one before`));
  if (data.unstable[index]) lines.push(line("tone-unsure", "◌ unstable: see the run's remarks"));
  const mark = data.marks.find(({ x }) => x === data.x[index]);
  const ways = links(data, index, urls, diff);
  if (mark) {
    lines.push(line(`tone-${mark.kind}`, `${mark.kind === "improved" ? "◆" : "▲"} ${mark.kind} ${mark.change}`));
    if (mark.url) ways.push(link(mark.url, "Incident"));
  }
  for (const note of data.notes.filter(({ x }) => x === data.x[index])) {
    lines.push(line("meta", `⚑ ${note.text} (${note.author})`));
  }
  lines.push(line("tip-links", ...ways));
  return lines;
}

function bucketLines(data, index) {
  return [
    line("tip-subject", `${data.n[index]} builds`),
    line("tip-value num", withUnit(data.value[index], data.unit)),
    line("meta num", `mean, from ${withUnit(data.low[index], "")} to ${withUnit(data.high[index], data.unit)}`),
    line("meta", "Drag to zoom until single builds are drawn."),
  ];
}

export class Tip {
  constructor(parent) {
    this.urls = { run: parent.dataset.runUrl, point: parent.dataset.pointUrl };
    this.element = document.createElement("div");
    this.element.className = "tip";
    this.element.hidden = true;
    this.ring = document.createElement("div");
    this.ring.className = "ring";
    this.ring.hidden = true;
    this.parent = parent;
    parent.append(this.ring, this.element);
  }

  get isShown() {
    return !this.element.hidden;
  }

  show(data, index, left, top, diff) {
    const lines = data.mode === "points" ? pointLines(data, index, this.urls, diff) : bucketLines(data, index);
    this.element.replaceChildren(...lines);
    this.element.hidden = this.ring.hidden = false;
    this.ring.style.left = `${left}px`;
    this.ring.style.top = `${top}px`;
    const room = this.parent.clientWidth - this.element.offsetWidth;
    const beside = left + MARGIN > room ? left - MARGIN - this.element.offsetWidth : left + MARGIN;
    const height = this.parent.clientHeight - this.element.offsetHeight;
    this.element.style.left = `${Math.max(0, Math.min(beside, room))}px`;
    this.element.style.top = `${Math.max(0, Math.min(top - this.element.offsetHeight / 2, height))}px`;
  }

  pin(pinned) {
    this.element.classList.toggle("tip-pinned", pinned);
  }

  hide() {
    this.element.hidden = this.ring.hidden = true;
    this.pin(false);
  }
}
