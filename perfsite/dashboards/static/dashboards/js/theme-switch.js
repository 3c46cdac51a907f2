// The switch: auto (what the system wishes), light, dark.  Tells charts to draw again.
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const KEY = "perfsite-theme";

function chosen() {
  return document.documentElement.dataset.theme ?? "auto";
}

function choose(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // storage is switched off: the choice lasts for this page
  }
  document.dispatchEvent(new Event("themechange"));
}

export function startThemeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  const name = button.querySelector("[data-theme-name]");
  name.textContent = chosen();
  button.hidden = false;
  button.addEventListener("click", () => {
    choose(NEXT[chosen()]);
    name.textContent = chosen();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new Event("themechange")),
  );
}
