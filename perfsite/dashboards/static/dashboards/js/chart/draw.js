// What uPlot does not draw itself: dots, change points, environment changes, the accused build.
const TAU = 2 * Math.PI;

function inside(u, x) {
  return x >= u.scales.x.min && x <= u.scales.x.max;
}

export function drawDots(u, data, colours, shown) {
  const { ctx } = u;
  const ratio = devicePixelRatio;
  const crowded = data.x.filter((x) => inside(u, x)).length > u.bbox.width / ratio / 5;
  ctx.save();
  ctx.lineWidth = 1.5 * ratio;
  ctx.strokeStyle = colours.accent;
  data.x.forEach((x, index) => {
    const hollow = data.unstable?.[index];
    if (!inside(u, x) || (hollow ? !shown.unstable : !shown.dots || crowded)) return;
    ctx.beginPath();
    ctx.arc(u.valToPos(x, "x", true), u.valToPos(data.value[index], "y", true), 3 * ratio, 0, TAU);
    ctx.fillStyle = hollow ? colours.surface : colours.accent;
    ctx.fill();
    if (hollow) ctx.stroke();
  });
  ctx.restore();
}

export function drawMarks(u, data, colours) {
  const { ctx } = u;
  const size = 6.5 * devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.strokeStyle = colours.surface;
  for (const mark of data.marks) {
    const index = placeOf(data, mark.x);
    if (!inside(u, mark.x) || index < 0) continue;
    const x = u.valToPos(data.x[index], "x", true);
    const y = u.valToPos(data.high[index] ?? data.value[index], "y", true) - 3 * size;
    ctx.beginPath();
    const corners =
      mark.kind === "improved"
        ? [[0, -size], [size, 0], [0, size], [-size, 0]]
        : [[0, -size], [size, size], [-size, size]];
    corners.forEach(([dx, dy], step) => (step ? ctx.lineTo(x + dx, y + dy) : ctx.moveTo(x + dx, y + dy)));
    ctx.closePath();
    ctx.fillStyle = colours[mark.kind] ?? colours.muted;
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

// the point at a place on the branch, or the bucket that holds it; -1 when it was not measured
function placeOf(data, x) {
  if (data.mode === "points") return data.x.indexOf(x);
  return data.x.findIndex((_, index) => data.first[index] <= x && x <= data.last[index]);
}

function vertical(u, x, colour, dash) {
  const { ctx } = u;
  ctx.beginPath();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.moveTo(x, u.bbox.top);
  ctx.lineTo(x, u.bbox.top + u.bbox.height);
  ctx.stroke();
}

export function drawEnvironments(u, data, colours) {
  const { ctx } = u;
  ctx.save();
  ctx.font = scaled(colours.font);
  ctx.fillStyle = colours.muted;
  for (const { x, label } of data.environments) {
    if (!inside(u, x)) continue;
    const place = u.valToPos(x, "x", true);
    vertical(u, place, colours.muted, [3, 3]);
    const gap = 5 * devicePixelRatio;
    const width = ctx.measureText(label).width + gap;
    const right = place + width < u.bbox.left + u.bbox.width;
    // where the words do not fit, the line and the table below the chart must do
    if (!right && place - width < u.bbox.left) continue;
    ctx.textAlign = right ? "left" : "right";
    ctx.fillText(label, place + (right ? gap : -gap), u.bbox.top + 2.4 * gap);
  }
  ctx.restore();
}

// a service level: words and dashes, and colour only where it is breached
export function drawLevels(u, data, colours) {
  const { ctx } = u;
  ctx.save();
  ctx.font = scaled(colours.font);
  ctx.textAlign = "left";
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([8, 4].map((length) => length * devicePixelRatio));
  for (const { y, label, met } of data.levels ?? []) {
    if (y < u.scales.y.min || y > u.scales.y.max) continue;
    const place = u.valToPos(y, "y", true);
    ctx.strokeStyle = ctx.fillStyle = met ? colours.muted : colours.regressed;
    ctx.beginPath();
    ctx.moveTo(u.bbox.left, place);
    ctx.lineTo(u.bbox.left + u.bbox.width, place);
    ctx.stroke();
    ctx.fillText(label, u.bbox.left + 6 * devicePixelRatio, place - 5 * devicePixelRatio);
  }
  ctx.restore();
}

// a person's note: a flag on the axis below its point
export function drawNotes(u, data, colours) {
  const { ctx } = u;
  const size = 5 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = ctx.strokeStyle = colours.text;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const { x } of data.notes) {
    if (!inside(u, x)) continue;
    const place = u.valToPos(x, "x", true);
    const foot = u.bbox.top + u.bbox.height;
    ctx.beginPath();
    ctx.moveTo(place, foot);
    ctx.lineTo(place, foot - 3 * size);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(place, foot - 3 * size);
    ctx.lineTo(place + 2 * size, foot - 2.25 * size);
    ctx.lineTo(place, foot - 1.5 * size);
    ctx.fill();
  }
  ctx.restore();
}

export function drawFocus(u, focus, colours) {
  if (focus === null || !inside(u, focus)) return;
  u.ctx.save();
  vertical(u, u.valToPos(focus, "x", true), colours.regressed, []);
  u.ctx.restore();
}

export function drawUnit(u, unit, colours) {
  const { ctx } = u;
  ctx.save();
  ctx.font = scaled(colours.font);
  ctx.fillStyle = colours.muted;
  ctx.textAlign = "right";
  ctx.fillText(unit, u.bbox.left - 8 * devicePixelRatio, u.bbox.top - 8 * devicePixelRatio);
  ctx.restore();
}

function scaled(font) {
  return font.replace(/^(\d+)px/, (_, size) => `${size * devicePixelRatio}px`);
}
