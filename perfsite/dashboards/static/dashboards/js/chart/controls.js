// The buttons and boxes around a chart; each does one thing to it.
export function listenControls(panel, chart) {
  const on = (selector, event, act) => {
    for (const element of panel.querySelectorAll(selector)) element.addEventListener(event, () => act(element));
  };
  for (const box of panel.querySelectorAll("[data-toggle]")) box.checked = chart.state[box.dataset.toggle];
  for (const box of panel.querySelectorAll("[data-overlay]")) box.checked = chart.state.also.includes(box.dataset.overlay);
  on("[data-toggle]", "change", (box) => chart.toggle(box.dataset.toggle, box.checked));
  on("[data-overlay]", "change", () => {
    chart.overlay([...panel.querySelectorAll("[data-overlay]:checked")].map((box) => box.dataset.overlay));
  });
  on("[data-pan]", "click", (button) => chart.pan(Number(button.dataset.pan)));
  on("[data-zoom]", "click", (button) => chart.zoom(Number(button.dataset.zoom)));
  on("[data-zoom-reset]", "click", () => chart.unzoom());
}

const KEYS = {
  "+": (chart) => chart.zoom(0.5),
  "-": (chart) => chart.zoom(2),
  Escape: (chart) => chart.unzoom(),
  Home: (chart) => chart.walk(-Infinity),
  End: (chart) => chart.walk(Infinity),
};

export function listenChart(element, chart, dragPx) {
  let pressedAt = 0;
  element.addEventListener("keydown", (event) => {
    if (event.target !== element) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && event.shiftKey) chart.pan(step);
    else if (step) chart.walk(step);
    else if (KEYS[event.key]) KEYS[event.key](chart);
    else if (event.key === "Enter") chart.follow();
    else return;
    event.preventDefault();
  });
  element.addEventListener("pointerdown", (event) => (pressedAt = event.clientX));
  element.addEventListener("click", (event) => {
    if (!event.target.closest("a, button, input, form") && Math.abs(event.clientX - pressedAt) < dragPx) chart.pinToggle();
  });
  element.addEventListener("dblclick", () => chart.unzoom());
  // a plain wheel scrolls the page: with Ctrl it zooms, with Shift it pans, as in maps
  element.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const turn = Math.sign(event.deltaY || event.deltaX);
      if (event.ctrlKey) chart.zoom(turn > 0 ? 1.25 : 0.8);
      else chart.pan(turn / 4);
    },
    { passive: false },
  );
  new ResizeObserver(() => chart.resize()).observe(element);
  document.addEventListener("themechange", () => chart.draw());
}
