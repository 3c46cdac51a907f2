// What is drawn of the data: x by build or by time, values as they are or normalised, several series aligned.
import { swarm } from "./samples.js";

function timesOf(data) {
  return data.time.map((text) => (text ? Date.parse(text) / 1000 : null));
}

function median(values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 1;
}

// a place on the axis for every ordinal, also between two points
export class XAxis {
  constructor(data, byTime) {
    this.ordinals = data.x;
    this.byTime = byTime && data.time?.some(Boolean);
    this.places = this.byTime ? filled(timesOf(data)) : data.x;
  }

  of(ordinal) {
    return between(this.ordinals, this.places, ordinal);
  }

  back(place) {
    return between(this.places, this.ordinals, place);
  }
}

// a commit without a date lies where the one before it does; time never runs backwards
function filled(times) {
  let last = times.find((time) => time !== null) ?? 0;
  return times.map((time) => (last = Math.max(last, time ?? last) + 1e-6));
}

function between(from, to, value) {
  if (from.length < 2) return from.length ? to[0] + (value - from[0]) : value;
  let low = 0;
  let high = from.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= value) low = middle;
    else high = middle;
  }
  if (value === from[low]) return to[low];
  if (value === from[high]) return to[high];
  const span = from[high] - from[low] || 1;
  return to[low] + ((value - from[low]) / span) * (to[high] - to[low]);
}

function scaled(values, factor) {
  return factor === 1 ? values : values.map((value) => (value === null ? null : value * factor));
}

// the main series' columns in the unit drawn, and the marks at their places on the axis
export function mainView(data, whole, axis, normal, samples) {
  const factor = normal ? 100 / median(data.value) : 1;
  const place = (row) => ({ ...row, x: axis.of(row.x) });
  return {
    ...data,
    x: axis.places,
    value: scaled(data.value, factor),
    low: scaled(data.low, factor),
    high: scaled(data.high, factor),
    levels: (data.levels ?? []).map((row) => ({ ...row, y: row.y * factor })),
    swarms: swarm(samples, axis, factor / data.factor),
    unit: normal ? "%" : data.unit,
    marks: whole.marks.map(place),
    notes: whole.notes.map(place),
    environments: whole.environments.map((row) => ({ ...row, x: axis.of(row.x - 0.5) })),
    first: data.first?.map((ordinal) => axis.of(ordinal)),
    last: data.last?.map((ordinal) => axis.of(ordinal)),
  };
}

// uPlot wants one column of x for all: it knows how to join tables of different lengths
export function joined(view, overlays, data, axis, normal) {
  const main = [view.x, view.value, view.low, view.high];
  if (!overlays.length) return main;
  const tables = overlays.map((other) => {
    const factor = normal ? 100 / median(other.value) : other.factor / data.factor;
    return [other.x.map((ordinal) => axis.of(ordinal)), scaled(other.value, factor)];
  });
  return uPlot.join([main, ...tables]);
}

export function nearest(places, place) {
  let best = 0;
  for (let index = 1; index < places.length; index += 1) {
    if (Math.abs(places[index] - place) < Math.abs(places[best] - place)) best = index;
  }
  return best;
}
