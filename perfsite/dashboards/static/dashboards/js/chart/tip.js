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

function pointLines(data, index, runUrl) {
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
  const links = [link(runUrl(data.run[index]), "Run")];
  if (mark) {
    lines.push(line(`tone-${mark.kind}`, `${mark.kind === "improved" ? "◆" : "▲"} ${mark.kind} ${mark.change}`));
    if (mark.url) links.push(link(mark.url, "Incident"));
  }
  lines.push(line("tip-links", ...links));
  return lines;
}

function bucketLines(data, index) {
  return [
    line("tip-subject", `Builds ${data.first[index]} to ${data.last[index]}`),
    line("tip-value num", withUnit(data.value[index], data.unit)),
    line("meta num", `mean of ${data.n[index]}, from ${withUnit(data.low[index], "")} to ${withUnit(data.high[index], data.unit)}`),
    line("meta", "Drag to zoom until single builds are drawn."),
  ];
}

export class Tip {
  constructor(parent, runUrl) {
    this.runUrl = runUrl;
    this.element = document.createElement("div");
    this.element.className = "tip";
    this.element.hidden = true;
    this.ring = document.createElement("div");
    this.ring.className = "ring";
    this.ring.hidden = true;
    this.parent = parent;
    parent.append(this.ring, this.element);
  }

  show(data, index, left, top) {
    const lines = data.mode === "points" ? pointLines(data, index, this.runUrl) : bucketLines(data, index);
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
