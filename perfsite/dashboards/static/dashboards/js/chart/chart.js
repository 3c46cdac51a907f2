// One chart in its element: owns the data, the zoom and the walk along the builds.
import { readColours } from "./colours.js";
import { drawDots, drawEnvironments, drawFocus, drawLevels, drawMarks, drawUnit } from "./draw.js";
import { everythingShown, fillLegend } from "./legend.js";
import { DRAG_PX, chartColumns, chartOptions } from "./options.js";
import { changeText, withUnit } from "./text.js";
import { Tip } from "./tip.js";

export class SeriesChart {
  constructor(element, data, loadSpan) {
    this.element = element;
    this.whole = data;
    this.data = data;
    this.loadSpan = loadSpan;
    this.shown = everythingShown();
    this.focus = element.dataset.focus ? Number(element.dataset.focus) : null;
    const panel = element.closest(".chart-panel");
    this.legend = panel.querySelector("[data-legend]");
    this.reset = panel.querySelector("[data-zoom-reset]");
    this.hint = panel.querySelector("[data-y-hint]");
    this.spoken = panel.querySelector("[data-spoken]");
    this.tip = new Tip(element, (id) => element.dataset.runUrl.replace("/0/", `/${id}/`));
    this.pinned = false;
    this.draw();
    this.listen();
  }

  draw(span = null) {
    this.plot?.destroy();
    const label = (x) => (this.data.mode === "points" ? this.data.sha[this.data.x.indexOf(x)] : `#${Math.round(x)}`);
    const options = chartOptions({
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      colours: (this.colours = readColours()),
      data: this.data,
      shown: this.shown,
      hooks: this.hooks(),
      label: (x) => label(x) ?? "",
    });
    this.plot = new uPlot(options, chartColumns(this.data), this.element);
    if (span) this.plot.setScale("x", span);
    fillLegend(this.legend, this.data, this.shown, () => this.filter());
  }

  hooks() {
    return {
      drawClear: [(u) => drawFocus(u, this.focus, this.colours)],
      draw: [(u) => this.paint(u)],
      setCursor: [(u) => this.follow(u)],
      setSelect: [(u) => u.select.width > 0 && this.zoomed(u)],
    };
  }

  paint(u) {
    const marks = this.data.marks.filter(({ kind }) => this.shown[kind]);
    if (this.shown.environments) drawEnvironments(u, this.data, this.colours);
    drawLevels(u, this.data, this.colours);
    drawDots(u, this.data, this.colours, this.shown);
    drawMarks(u, { ...this.data, marks }, this.colours);
    drawUnit(u, this.data.unit, this.colours);
    const low = u.scales.y.min;
    this.hint.textContent = low > 0 ? `The y axis starts at ${withUnit(low, this.data.unit)}, not at zero.` : "";
  }

  filter() {
    this.plot.batch(() => {
      this.plot.setSeries(1, { show: this.shown.line });
      this.plot.setSeries(2, { show: this.shown.band });
      this.plot.setSeries(3, { show: this.shown.band });
    });
    this.plot.redraw();
  }

  follow(u) {
    if (this.pinned) return;
    const { idx, left } = u.cursor;
    if (idx === null || idx === undefined || left < 0) this.tip.hide();
    else this.showTip(idx);
  }

  showTip(index) {
    this.index = index;
    const left = this.plot.valToPos(this.data.x[index], "x") + this.plot.over.offsetLeft;
    const top = this.plot.valToPos(this.data.value[index], "y") + this.plot.over.offsetTop;
    this.tip.show(this.data, index, left, top);
  }

  zoomed(u) {
    this.reset.hidden = false;
    if (this.data.mode !== "buckets") return;
    // the scale itself follows only after this hook
    const { left, width } = u.select;
    const span = { min: u.posToVal(left, "x"), max: u.posToVal(left + width, "x") };
    this.loadSpan(span).then((data) => this.replace(data, span));
  }

  replace(data, span) {
    if (data.mode === "empty") return;
    this.data = data;
    this.draw(span);
  }

  unzoom() {
    this.reset.hidden = true;
    this.unpin();
    this.data = this.whole;
    this.draw();
  }

  pin() {
    this.pinned = true;
    this.tip.pin(true);
  }

  unpin() {
    this.pinned = false;
    this.tip.hide();
  }

  walk(step) {
    const last = this.data.x.length - 1;
    const from = this.index ?? (step > 0 ? -1 : last + 1);
    const index = Math.min(last, Math.max(0, from + step));
    this.pinned = false;
    this.plot.setCursor({ left: this.plot.valToPos(this.data.x[index], "x"), top: 10 });
    this.showTip(index);
    this.pin();
    this.speak(index);
  }

  speak(index) {
    if (this.data.mode !== "points") return;
    const delta = this.data.delta[index] ? `, ${changeText(this.data.delta[index])} against the one before` : "";
    this.spoken.textContent = `${this.data.subject[index]}: ${withUnit(this.data.value[index], this.data.unit)}${delta}`;
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      this.walk(steps[event.key]);
    } else if (event.key === "Escape") {
      this.unzoom();
    } else if (event.key === "Enter" && this.pinned) {
      this.tip.element.querySelector("a")?.click();
    }
  }

  click(event) {
    if (event.target.closest("a") || Math.abs(event.clientX - this.pressedAt) >= DRAG_PX) return;
    if (this.pinned) this.unpin();
    else if (!this.tip.element.hidden) this.pin();
  }

  listen() {
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("pointerdown", (event) => (this.pressedAt = event.clientX));
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("dblclick", () => this.unzoom());
    this.reset.addEventListener("click", () => this.unzoom());
    document.addEventListener("themechange", () => this.draw());
    new ResizeObserver(() => {
      this.plot.setSize({ width: this.element.clientWidth, height: this.element.clientHeight });
    }).observe(this.element);
  }
}
