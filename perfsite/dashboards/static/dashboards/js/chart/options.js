// uPlot's options: x is the place on the branch, y comes from the data.
import { faded } from "./colours.js";

export const DRAG_PX = 6;
const LABEL_PX = 68;
// noise of half a per cent must not look like a cliff: the axis spans at least this share of the values
const LEAST_SPAN = 0.04;

// a service level is drawn where it lies near the values: one far away would flatten them
const NEAR = 2;

export function yRange(min, max, levels = [], reach = null) {
  if (reach && min !== null && max !== null) [min, max] = [Math.min(min, reach[0]), Math.max(max, reach[1])];
  for (const { y } of levels) {
    if (y > max && y <= max * NEAR) max = y;
    if (y < min && y >= min / NEAR) min = y;
  }
  if (min === null || max === null) return [0, 1];
  const middle = (min + max) / 2;
  const half = Math.max((max - min) / 2, (Math.abs(middle) * LEAST_SPAN) / 2, 1e-12);
  const low = middle - half * 1.15;
  return [min >= 0 ? Math.max(0, low) : low, middle + half * 1.35];
}

// the crosshair snaps to the nearest build, but for the length of a drag
function snapped(u, left, top) {
  if (left < 0 || u.cursor.event?.buttons) return [left, top];
  return [u.valToPos(u.data[0][u.posToIdx(left)], "x"), top];
}

function xSplits(u, _axis, min, max) {
  const places = u.data[0].filter((x) => x >= min && x <= max);
  const most = Math.max(1, Math.floor(u.bbox.width / devicePixelRatio / LABEL_PX));
  const every = Math.ceil(places.length / most);
  return places.filter((_, index) => index % every === 0);
}

// as many as the step has: 0.025 needs three, or 1.125 would read 1.13
function decimalsOf(step) {
  let decimals = 0;
  while (decimals < 12 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return decimals;
}

function yValues(_u, splits, _axis, _space, increment) {
  const decimals = decimalsOf(increment);
  return splits.map((value) => value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

// overlays have no verdict, so no verdict's colour: the accent and greys, told apart by their dashes
const DASHES = [[6, 3], [2, 3], [10, 3, 2, 3], [1, 2]];

function overlaySeries(colours, index) {
  return {
    stroke: index % 2 ? colours.muted : colours.text,
    width: 1.25,
    dash: DASHES[index % DASHES.length],
    points: { show: false },
    spanGaps: true,
  };
}

export function overlayDash(index) {
  return DASHES[index % DASHES.length].join(" ");
}

function yScale(log, levels, reach) {
  return log ? { distr: 3 } : { range: (_u, min, max) => yRange(min, max, levels, reach) };
}

function xScale(byTime) {
  const room = byTime ? 0 : 0.5;
  return { time: byTime, range: (_u, min, max) => (min === max ? [min - 1, max + 1] : [min - room, max + room]) };
}

export function chartOptions({ width, height, colours, shown, levels, reach, overlays, log, byTime, hooks, label }) {
  const grid = { stroke: colours.line, width: 1 };
  const narrow = width < 520;
  return {
    width,
    height,
    padding: [24, 12, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      // `click` is left to the chart: uPlot takes a snapped crosshair for a drag
      drag: { x: true, y: false, dist: DRAG_PX, click: () => {} },
      move: snapped,
    },
    scales: {
      x: xScale(byTime),
      y: yScale(log, levels, reach),
    },
    axes: [
      {
        stroke: colours.muted,
        font: colours.mono,
        grid: { show: false },
        ticks: grid,
        size: 30,
        // by time uPlot's own dates stand below the axis, by build the commits
        ...(byTime ? {} : { splits: xSplits, values: (_u, splits) => splits.map(label) }),
      },
      { stroke: colours.muted, font: colours.font, grid, ticks: { show: false }, size: narrow ? 44 : 56, ...(log ? {} : { values: yValues }) },
    ],
    series: [
      {},
      { stroke: colours.accent, width: 1.75, show: shown.line, points: { show: false }, spanGaps: true },
      { stroke: "transparent", points: { show: false }, show: shown.band, spanGaps: true },
      { stroke: "transparent", points: { show: false }, show: shown.band, spanGaps: true },
      ...overlays.map((_, index) => overlaySeries(colours, index)),
    ],
    bands: [{ series: [3, 2], fill: faded(colours.accent, 0.18) }],
    hooks,
  };
}
