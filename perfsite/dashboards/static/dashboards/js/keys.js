// `/` searches, `?` helps, `g` and a letter goes somewhere.
const GOES = { h: "/", i: "/incidents/", m: "/moved/", w: "/workers/", o: "/outbox/" };
const PATIENCE_MS = 1200;

function isTyping(target) {
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

export function startKeys() {
  const help = document.getElementById("help");
  const search = document.getElementById("search");
  let goneAt = 0;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (performance.now() - goneAt < PATIENCE_MS && GOES[event.key]) {
      location.assign(GOES[event.key]);
      return;
    }
    goneAt = event.key === "g" ? performance.now() : 0;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    }
    if (event.key === "?" && !help.open) help.showModal();
  });

  for (const button of document.querySelectorAll("[data-open-help]")) {
    button.addEventListener("click", () => help.showModal());
  }
}
