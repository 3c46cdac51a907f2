// Numbers in a chart, in the words of the server's `formatting.py`.
const MINUS = "\u2212";

export function significant(value, digits = 3) {
  if (value === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const shown = Math.min(Math.max(0, digits - 1 - magnitude), 12);
  return value
    .toLocaleString("en-US", { minimumFractionDigits: shown, maximumFractionDigits: shown })
    .replace("-", MINUS);
}

function bare(percent) {
  if (percent === 0) return "0";
  const size = Math.abs(percent);
  const text = size.toFixed(size >= 100 ? 0 : size >= 0.95 ? 1 : 2);
  return percent < 0 && Number(text) ? MINUS + text : text;
}

export function changeText([relative, low, high]) {
  const text = bare(relative * 100);
  const sign = text.startsWith(MINUS) || !Number(text) ? "" : "+";
  const interval = low === null || high === null ? "" : ` [${bare(low * 100)}, ${bare(high * 100)}]`;
  return `${sign}${text} %${interval}`;
}

export function withUnit(value, unit, digits = 3) {
  return unit ? `${significant(value, digits)} ${unit}` : significant(value, digits);
}
