// A live part is replaced every second or two: what its reader opened stays open, a log stays where
// it was scrolled to, and one that was at its end follows the end.
const SLACK_PX = 8;

function remember(root) {
  const open = new Map();
  for (const details of root.querySelectorAll("details[id]")) {
    const log = details.querySelector(".log");
    const atEnd = log ? log.scrollHeight - log.scrollTop - log.clientHeight < SLACK_PX : false;
    open.set(details.id, { open: details.open, top: log?.scrollTop ?? 0, atEnd });
  }
  return open;
}

function restore(kept) {
  for (const [id, was] of kept) {
    const details = document.getElementById(id);
    if (!details) continue;
    details.open = was.open;
    const log = details.querySelector(".log");
    if (log && was.open) log.scrollTop = was.atEnd ? log.scrollHeight : was.top;
  }
}

export function startKeepOpen() {
  let kept = new Map();
  document.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    kept = target.matches("[data-keep-open]") ? remember(target) : new Map();
  });
  document.addEventListener("htmx:afterSwap", () => restore(kept));
}
