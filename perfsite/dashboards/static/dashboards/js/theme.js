// Loaded before the first paint: a reader who chose a theme never sees the other one flash.
(() => {
  try {
    const kept = localStorage.getItem("perfsite-theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch {
    // storage is switched off: the system's wish counts
  }
})();
