// The chart paints with the same custom properties as the style sheets.
const NAMES = ["surface", "line", "line-strong", "text", "muted", "accent", "regressed", "improved"];

export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  const body = getComputedStyle(document.body);
  colours.font = `11px ${body.fontFamily}`;
  colours.mono = `11px ${style.getPropertyValue("--mono")}`;
  return colours;
}

export function faded(colour, share) {
  return `color-mix(in srgb, ${colour} ${share * 100}%, transparent)`;
}
