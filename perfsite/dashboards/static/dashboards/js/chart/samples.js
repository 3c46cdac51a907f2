// The raw samples behind the builds of a zoom: which span is asked for, and where each sample lies.
export const MOST_BUILDS = 50;

// the golden ratio spreads neighbours in value apart in place: a swarm, and the same one every time
const SPREAD = 0.6180339887;
const WIDEST_PX = 16;

// the ordinals of the first and last build in view; null where there are none, or too many to read
export function spanOf(data, span) {
  if (data.mode !== "points") return null;
  const seen = data.x.filter((x) => !span || (x >= span[0] && x <= span[1]));
  return seen.length && seen.length <= MOST_BUILDS ? [seen[0], seen[seen.length - 1]] : null;
}

export function samplesHint(wanted, rows) {
  if (!wanted) return `Zoom to ${MOST_BUILDS} builds or fewer to see them.`;
  if (!rows) return "Reading them…";
  const count = rows.reduce((sum, row) => sum + row.samples.length, 0);
  const kept = rows.reduce((sum, row) => sum + row.n, 0);
  if (!count) return "The reports of these builds kept none.";
  const builds = `of ${rows.length} build${rows.length === 1 ? "" : "s"}`;
  const [few, all] = [count, kept].map((number) => number.toLocaleString("en-US"));
  return kept > count ? `${few} samples out of ${all}, evenly spaced, ${builds}` : `${few} samples ${builds}`;
}

// on the chart's own scale: `factor` is what a value of the metric's unit is multiplied with
export function swarm(rows, axis, factor) {
  return rows.map((row) => ({ x: axis.of(row.ordinal), values: row.samples.map((value) => value * factor) }));
}

export function extremes(swarms) {
  const all = swarms.flatMap(({ values }) => [values[0], values[values.length - 1]]);
  return all.length ? [Math.min(...all), Math.max(...all)] : null;
}

export function drawSamples(u, swarms, colours) {
  if (!swarms.length) return;
  const { ctx } = u;
  const size = 2 * devicePixelRatio;
  const { left, top, width, height } = u.bbox;
  const places = swarms.map(({ x }) => u.valToPos(x, "x", true));
  const gaps = places.slice(1).map((place, index) => place - places[index]);
  const room = Math.min(WIDEST_PX * devicePixelRatio, ...gaps.map((gap) => 0.7 * gap));
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = colours.muted;
  ctx.globalAlpha = 0.55;
  swarms.forEach(({ values }, which) => {
    const middle = places[which];
    values.forEach((value, index) => {
      const aside = (((index + 1) * SPREAD) % 1) - 0.5;
      ctx.fillRect(middle + aside * room - size / 2, u.valToPos(value, "y", true) - size / 2, size, size);
    });
  });
  ctx.restore();
}
