// What the reader chose, and the address that reproduces it: zoom, overlays, normalised, log, x by time, samples.
export function everyState() {
  return { first: null, last: null, also: [], normal: false, log: false, time: false, samples: false };
}

export function stateRead(search) {
  const query = new URLSearchParams(search);
  const place = (name) => (query.has(name) && Number.isFinite(Number(query.get(name))) ? Number(query.get(name)) : null);
  return {
    first: place("first"),
    last: place("last"),
    also: (query.get("also") ?? "").split(",").filter((id) => /^\d+$/.test(id)),
    normal: query.get("normal") === "1",
    log: query.get("log") === "1",
    time: query.get("x") === "time",
    samples: query.get("samples") === "1",
  };
}

export function stateWrite(state) {
  const url = new URL(location.href);
  const put = (name, value) => (value === null || value === "" ? url.searchParams.delete(name) : url.searchParams.set(name, value));
  put("first", state.first);
  put("last", state.last);
  put("also", state.also.join(","));
  put("normal", state.normal ? "1" : null);
  put("log", state.log ? "1" : null);
  put("samples", state.samples ? "1" : null);
  put("x", state.time ? "time" : null);
  history.replaceState(null, "", url);
  for (const link of document.querySelectorAll("[data-twin]")) {
    const twin = new URL(url);
    twin.searchParams.set("format", link.dataset.twin);
    link.href = twin.pathname + twin.search;
  }
}
