// On a phone the rows of tabs are wider than the screen: the current one is brought into view.
export function startTabs() {
  for (const current of document.querySelectorAll(".tabs [aria-current], .nav [aria-current]")) {
    const row = current.closest(".tabs, .topbar > nav");
    const wanted = current.getBoundingClientRect();
    const shown = row.getBoundingClientRect();
    row.scrollLeft += wanted.left + wanted.width / 2 - shown.left - shown.width / 2;
  }
}
