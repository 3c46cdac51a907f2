"""How soon a reader can use a page: `python -m tests.e2e.ready_times LOGIN_LINK` against a site that runs.

`manage.py login_link` prints the link. Every page is opened in real headless Chromium, the pages in turns, the
first time with an empty cache. Told are milliseconds from the start of the navigation: `first byte`, `painted`
(first contentful paint) and `ready` (time to interactive: the end of the load event, or of the last long task of
50 ms or more where one came later), with the processor slowed down `--slow` times.
"""  # noqa: E501

from __future__ import annotations

import argparse
import os
import statistics
import time
from urllib.parse import urlsplit

from selenium import webdriver

from tests.e2e.chromium import CHROMIUM, DRIVER, FLAGS

os.environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
_WATCH = """
window.longEnd = 0;
new PerformanceObserver(list => {
  for (const {startTime, duration} of list.getEntries())
    window.longEnd = Math.max(window.longEnd, startTime + duration);
}).observe({type: 'longtask', buffered: true});
"""
_TOLD = """
const page = performance.getEntriesByType('navigation')[0];
const paint = performance.getEntriesByName('first-contentful-paint')[0];
const sum = name => performance.getEntriesByType('resource')
  .filter(one => one.name.split('?')[0].endsWith(name))
  .reduce((total, one) => total + one.decodedBodySize, 0);
return {first: page.responseStart, painted: paint ? paint.startTime : 0, load: page.loadEventEnd,
        ready: Math.max(page.loadEventEnd, window.longEnd), script: sum('.js')};
"""
_QUIET_S = 1.0  # after the load event, for what the page's script still does


def main() -> None:
    """Open every page and print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("link", help="what manage.py login_link printed")
    parser.add_argument("--project", default="history")
    parser.add_argument("--series", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow", type=float, default=4.0, help="times that the processor is slowed down")
    options = parser.parse_args()
    site = "{0.scheme}://{0.netloc}".format(urlsplit(options.link))
    chrome = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        chrome.add_argument(flag)
    chrome.binary_location = CHROMIUM or ""
    browser = webdriver.Chrome(options=chrome, service=webdriver.ChromeService(DRIVER))
    try:
        browser.get(options.link)
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        browser.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": options.slow})
        _print(browser, site, options)
    finally:
        browser.quit()


def _print(browser: webdriver.Chrome, site: str, options: argparse.Namespace) -> None:
    project = f"/projects/{options.project}"
    pages = [
        "/",
        *(f"{project}/{part}" for part in ("", "trends/", "builds/", "grid/", "compare/", "hardware/")),
        "/incidents/",
        f"/series/{options.series}/",
    ]
    seen: dict[str, list[dict[str, float]]] = {page: [] for page in pages}
    for _ in range(options.rounds):
        for page in pages:
            browser.get(site + page)
            time.sleep(_QUIET_S)
            seen[page].append(browser.execute_script(_TOLD))
    load = os.getloadavg()[0]
    print(f"{options.rounds} rounds, processor slowed down {options.slow:g} times, load {load:.1f}")
    print("| page | first time: ready | first byte | painted | ready | script, bytes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for page, told in seen.items():
        half = {name: statistics.median(row[name] for row in told) for name in told[0]}
        print(
            f"| {page} | {told[0]['ready']:.0f} | {half['first']:.0f} | {half['painted']:.0f} "
            f"| {half['ready']:.0f} | {half['script']:,.0f} |"
        )


if __name__ == "__main__":
    main()
