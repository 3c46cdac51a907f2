// Keeps `12 min ago` true while a page stays open, in the words the server uses, and adds the
// reader's own time zone on hover.
const EVERY_MS = 15_000;
const UNITS = [
  [86_400, (n) => `${n} ${n === 1 ? "day" : "days"}`],
  [3_600, (n) => `${n} h`],
  [60, (n) => `${n} min`],
  [1, (n) => `${n} s`],
];
const MONTH_S = 30 * 86_400;

export function agoText(moment, now = Date.now()) {
  const seconds = Math.floor((now - moment.getTime()) / 1000);
  if (seconds < 0 || seconds >= MONTH_S) return null;
  if (seconds < 10) return "just now";
  const [size, words] = UNITS.find(([unit]) => seconds >= unit);
  return `${words(Math.floor(seconds / size))} ago`;
}

function refresh() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    const text = agoText(moment);
    if (text && element.textContent !== text) element.textContent = text;
    element.title = `${moment.toLocaleString()} (${element.dateTime})`;
  }
}

export function startTimes() {
  refresh();
  setInterval(refresh, EVERY_MS);
  document.addEventListener("htmx:afterSettle", refresh);
}
