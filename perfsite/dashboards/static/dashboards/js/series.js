// The chart of one series: asks for its data, draws, asks again when a long one is zoomed, and looks
// every few seconds whether a new point has come.
import { SeriesChart } from "./chart/chart.js";

const LOOK_MS = 4000;

async function load(address, { span = null, times = false } = {}) {
  const url = new URL(address, location.href);
  if (span) {
    url.searchParams.set("first", Math.max(0, Math.floor(span[0])));
    url.searchParams.set("last", Math.ceil(span[1]));
  }
  if (times) url.searchParams.set("times", "1");
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (answer.redirected) throw new Error("you are logged out");
  if (!answer.ok) throw new Error(`the site answered ${answer.status}`);
  return answer.json();
}

function complain(element, error) {
  const sentence = document.createElement("p");
  sentence.className = "calm";
  sentence.textContent = `The chart's data did not come: ${error.message}. The table below holds the same values.`;
  element.replaceChildren(sentence);
}

async function start(element) {
  const own = element.dataset.url;
  const other = (id) => own.replace(/\/\d+\//, `/${id}/`);
  try {
    const data = await load(own);
    if (data.mode === "empty") return;
    element.querySelector("[data-skeleton]")?.remove();
    const chart = new SeriesChart(element, data, (id, wanted) => {
      if (wanted.samples) return load(element.dataset.samplesUrl, wanted);
      return load(id === null ? own : other(id), wanted);
    });
    setInterval(() => look(own, chart), LOOK_MS);
  } catch (error) {
    complain(element, error);
  }
}

async function look(address, chart) {
  if (document.hidden) return;
  const last = chart.whole.to;
  try {
    // an empty span: the answer only says where the series ends now
    const { to } = await load(address, { span: [last + 1, last + 1] });
    if (to !== last) chart.renew(await load(address));
  } catch {
    // the site is away for a moment: what is drawn stays true, and the next look comes soon
  }
}

// uPlot is a classic deferred script: it has run once the document is complete
addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-chart]").forEach(start));
if (document.readyState === "complete") document.querySelectorAll("[data-chart]").forEach(start);
