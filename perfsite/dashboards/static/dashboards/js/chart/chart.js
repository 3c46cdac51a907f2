// One chart in its element: owns the data, the zoom and the walk along the builds.
import { readColours } from "./colours.js";
import { listenChart, listenControls } from "./controls.js";
import { drawDots, drawEnvironments, drawFocus, drawLevels, drawMarks, drawNotes, drawUnit } from "./draw.js";
import { everythingShown, fillLegend } from "./legend.js";
import { DRAG_PX, chartOptions } from "./options.js";
import { drawSamples, extremes, samplesHint, spanOf } from "./samples.js";
import { everyState, stateRead, stateWrite } from "./state.js";
import { changeText, withUnit } from "./text.js";
import { Tip } from "./tip.js";
import { XAxis, joined, mainView, nearest } from "./view.js";

const PATIENCE_MS = 120;
const FEWEST = 4;

export class SeriesChart {
  constructor(element, whole, load) {
    this.element = element;
    this.load = load;
    this.whole = this.data = whole;
    this.overlays = [];
    this.samples = null;
    this.shown = everythingShown();
    this.panel = element.closest(".chart-panel");
    this.part = (name) => this.panel.querySelector(`[data-${name}]`);
    this.isKept = "state" in element.dataset;
    this.state = this.isKept ? stateRead(location.search) : everyState();
    this.tip = new Tip(element);
    this.pinned = false;
    this.draw();
    listenControls(this.panel, this);
    listenChart(element, this, DRAG_PX);
    if (this.state.also.length || this.state.time || this.state.samples || this.span) this.refresh();
  }

  // the zoom in ordinals, null for everything
  get span() {
    const { first, last } = this.state;
    return first === null && last === null ? null : [first ?? this.whole.from, last ?? this.whole.to];
  }

  draw() {
    this.plot?.destroy();
    this.axis = new XAxis(this.data, this.state.time);
    this.view = mainView(this.data, this.whole, this.axis, this.state.normal, this.state.samples ? this.samples ?? [] : []);
    const options = chartOptions({
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      colours: (this.colours = readColours()),
      shown: this.shown,
      levels: this.view.levels,
      reach: extremes(this.view.swarms),
      overlays: this.overlays,
      log: this.state.log && this.view.value.every((value) => value === null || value > 0),
      byTime: this.axis.byTime,
      hooks: this.hooks(),
      label: (x) => this.labelAt(x),
    });
    this.plot = new uPlot(options, joined(this.view, this.overlays, this.data, this.axis, this.state.normal), this.element);
    if (this.span) this.scale();
    this.part("zoom-reset").hidden = !this.span;
    fillLegend(this.part("legend"), this.view, this.shown, this.overlays, () => this.filter());
  }

  labelAt(x) {
    if (this.data.mode !== "points") return `#${Math.round(this.axis.back(x))}`;
    return this.data.sha[this.axis.places.indexOf(x)] ?? "";
  }

  scale() {
    const [first, last] = this.span;
    this.plot.setScale("x", { min: this.axis.of(first), max: this.axis.of(last) });
  }

  hooks() {
    return {
      drawClear: [(u) => drawFocus(u, this.focus(), this.colours)],
      draw: [(u) => this.paint(u)],
      setCursor: [(u) => this.hover(u)],
      setSelect: [(u) => u.select.width > 0 && this.selected(u)],
    };
  }

  focus() {
    const { focus } = this.element.dataset;
    return focus ? this.axis.of(Number(focus)) : null;
  }

  paint(u) {
    const marks = this.view.marks.filter(({ kind }) => this.shown[kind]);
    if (this.shown.environments) drawEnvironments(u, this.view, this.colours);
    drawLevels(u, this.view, this.colours);
    drawSamples(u, this.view.swarms, this.colours);
    drawDots(u, this.view, this.colours, this.shown);
    drawMarks(u, { ...this.view, marks }, this.colours);
    if (this.shown.notes) drawNotes(u, this.view, this.colours);
    drawUnit(u, this.view.unit, this.colours);
    const low = u.scales.y.min;
    const from = `The y axis starts at ${withUnit(low, this.view.unit)}, not at zero.`;
    this.part("y-hint").textContent = this.state.log ? "The y axis is logarithmic." : low > 0 ? from : "";
  }

  filter() {
    this.plot.batch(() => {
      this.plot.setSeries(1, { show: this.shown.line });
      this.plot.setSeries(2, { show: this.shown.band });
      this.plot.setSeries(3, { show: this.shown.band });
    });
    this.plot.redraw();
  }

  hover(u) {
    if (this.pinned) return;
    const { idx, left } = u.cursor;
    if (idx === null || idx === undefined || left < 0) this.tip.hide();
    else this.showTip(nearest(this.view.x, u.data[0][idx]));
  }

  showTip(index) {
    this.index = index;
    const left = this.plot.valToPos(this.view.x[index], "x") + this.plot.over.offsetLeft;
    const top = this.plot.valToPos(this.view.value[index], "y") + this.plot.over.offsetTop;
    this.tip.show(this.view, index, left, top, this.whole.diff);
  }

  selected(u) {
    const { left, width } = u.select;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoomTo(this.axis.back(u.posToVal(left, "x")), this.axis.back(u.posToVal(left + width, "x")));
  }

  zoom(times) {
    const [first, last] = this.span ?? [this.whole.from, this.whole.to];
    const half = (Math.max(FEWEST, (last - first) * times)) / 2;
    const middle = this.pinned || this.tip.isShown ? this.data.x[this.index] : (first + last) / 2;
    const share = (middle - first) / (last - first || 1);
    this.zoomTo(middle - 2 * half * share, middle + 2 * half * (1 - share));
  }

  pan(share) {
    if (!this.span) return;
    const [first, last] = this.span;
    const { from, to } = this.whole;
    const wanted = (last - first) * share * 0.5;
    const step = Math.max(from - first, Math.min(to - last, wanted));
    this.zoomTo(first + step, last + step);
  }

  zoomTo(first, last) {
    const { from, to } = this.whole;
    this.unpin();
    if (first <= from && last >= to) return this.unzoom();
    this.state.first = Math.max(from, Math.floor(first));
    this.state.last = Math.min(to, Math.ceil(last));
    this.part("zoom-reset").hidden = false;
    this.scale();
    this.refresh();
  }

  // the old points stay until finer ones have come: a zoom or a pan never waits
  refresh() {
    if (this.isKept) stateWrite(this.state);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), PATIENCE_MS);
  }

  async fetch() {
    const asked = (this.asked = {});
    const isCoarse = this.whole.mode === "buckets" && this.span;
    const room = isCoarse ? this.span[1] - this.span[0] : 0;
    const span = isCoarse ? [Math.max(this.whole.from, this.span[0] - room), Math.min(this.whole.to, this.span[1] + room)] : null;
    const times = this.state.time;
    const wanted = this.state.also.map((id) => this.load(id, { span, times }));
    const finer = span || times ? this.load(null, { span, times }) : this.whole;
    let answers;
    try {
      answers = await Promise.all([finer, ...wanted]);
    } catch {
      return; // the site is away or the session over: what is drawn stays true
    }
    if (asked !== this.asked) return;
    const [data, ...overlays] = answers;
    if (data.x?.length) this.data = data;
    overlays.forEach((other, index) => (other.words = this.overlayWords(this.state.also[index])));
    this.overlays = overlays.filter((other) => other.x?.length);
    await this.sample(asked);
    if (asked !== this.asked) return;
    this.draw();
    this.element.dataset.drawn = String(Number(this.element.dataset.drawn ?? 0) + 1);
  }

  // the samples of the builds in view; what was read of the same builds before is drawn until then
  async sample(asked) {
    const hint = (words) => this.isKept && (this.part("samples-hint").textContent = words);
    if (!this.state.samples) return hint("");
    const span = spanOf(this.data, this.span);
    hint(samplesHint(span, null));
    if (!span) return (this.samples = null);
    try {
      const rows = await this.load(null, { span, samples: true });
      if (asked !== this.asked) return;
      this.samples = rows;
      hint(samplesHint(span, rows));
    } catch (error) {
      hint(`They did not come: ${error.message}.`);
    }
  }

  overlayWords(id) {
    return this.panel.querySelector(`[data-overlay="${id}"]`)?.parentElement.textContent.trim();
  }

  renew(whole) {
    this.whole = whole;
    if (!this.span) this.data = whole;
    this.fetch();
  }

  toggle(name, on) {
    this.state[name] = on;
    this.unpin();
    this.draw();
    this.refresh();
  }

  overlay(ids) {
    this.state.also = ids;
    this.refresh();
  }

  unzoom() {
    this.unpin();
    this.state.first = this.state.last = null;
    this.data = this.whole;
    this.draw();
    this.refresh();
  }

  pinToggle() {
    if (this.pinned) this.unpin();
    else if (this.tip.isShown) this.pin();
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
    this.plot.setCursor({ left: this.plot.valToPos(this.view.x[index], "x"), top: 10 });
    this.showTip(index);
    this.pin();
    this.speak(index);
  }

  follow() {
    if (this.pinned) this.tip.element.querySelector("a")?.click();
  }

  speak(index) {
    if (this.data.mode !== "points") return;
    const delta = this.data.delta[index] ? `, ${changeText(this.data.delta[index])} against the one before` : "";
    this.part("spoken").textContent = `${this.data.subject[index]}: ${withUnit(this.view.value[index], this.view.unit)}${delta}`;
  }

  resize() {
    this.plot.setSize({ width: this.element.clientWidth, height: this.element.clientHeight });
  }
}
