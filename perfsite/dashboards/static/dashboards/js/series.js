// The chart of one series: asks for its data, draws, and asks again when a long one is zoomed.
import { SeriesChart } from "./chart/chart.js";

async function load(element, span = null) {
  const url = new URL(element.dataset.url, location.href);
  if (span) {
    url.searchParams.set("first", Math.max(0, Math.floor(span.min)));
    url.searchParams.set("last", Math.ceil(span.max));
  }
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
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
  try {
    const data = await load(element);
    if (data.mode === "empty") return;
    element.querySelector("[data-skeleton]")?.remove();
    new SeriesChart(element, data, (span) => load(element, span));
  } catch (error) {
    complain(element, error);
  }
}

// uPlot is a classic deferred script: it has run once the document is complete
addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-chart]").forEach(start));
if (document.readyState === "complete") document.querySelectorAll("[data-chart]").forEach(start);
