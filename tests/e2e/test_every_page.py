"""Every page of the URL configuration: axe and width in either theme, the keyboard, how much script."""

from django.contrib.auth import get_user_model
from django.test import Client
from selenium.webdriver.common.keys import Keys

from tests.e2e.browsing import AXE, NEEDS, Browser
from tests.e2e.places import names_of_pages, places_make

pytestmark = NEEDS

MOST_SCRIPT = 300_000  # bytes, not compressed
# left out: the strips of builds, whose cells are smaller than 24 px; the table of builds has the same links
AXE_RUN = """
axe.run({exclude: [['.strip']]}, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'],
  resultTypes: ['violations']}).then(arguments[0])
"""
SCRIPTS = """
const isScript = row => new URL(row.name).pathname.endsWith('.js');
const rows = performance.getEntriesByType('resource').filter(isScript);
const inline = [...document.scripts].map(one => one.textContent.length);
return [...rows.map(row => row.decodedBodySize), ...inline].reduce((sum, size) => sum + size, 0);
"""
# what the keyboard has to reach, and what it reached: a group of radio buttons is one stop
WATCH = """
const seen = window.__seen = new Set();
const unmarked = window.__unmarked = new Set();
document.addEventListener('focusin', event => {
  const style = getComputedStyle(event.target);
  seen.add(event.target);
  const marked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  if (!marked && style.boxShadow === 'none') unmarked.add(event.target.outerHTML.slice(0, 160));
});
"""
LEFT = """
const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
const groups = new Set([...window.__seen].filter(one => one.type === 'radio').map(one => one.name));
const left = [...document.querySelectorAll(all)].filter(one => one.checkVisibility({visibilityProperty: true})
  && !one.disabled && !window.__seen.has(one) && !(one.type === 'radio' && groups.has(one.name))
  && one.tabIndex >= 0);
return [left.map(one => one.outerHTML.slice(0, 160)), [...window.__unmarked]];
"""
LONGEST = 40  # stops; a page with more has the same kinds of stops again and again
ROUND = 20


class EveryPageTest(Browser):
    def test_every_page_in_either_theme_and_by_the_keyboard(self):
        assert AXE.is_file(), "install the package (pip install -e .): its build hook fetches axe-core"
        self.login()
        places = places_make(self.history())
        client = Client()
        client.force_login(get_user_model().objects.get(username="ada"))
        assert names_of_pages(client) == set(places)
        self.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": AXE.read_text()})
        for name, address in sorted(places.items()):
            with self.subTest(page=name, address=address):
                self._look_at(address)

    def _look_at(self, address: str):
        self.look(1440)
        self.open(address)
        script = self.browser.execute_script(SCRIPTS)
        assert 0 < script <= MOST_SCRIPT, f"{address} has {script} bytes of script"
        self._checked(address, 1440)
        self._walked(address)
        self.look(390, scheme="dark")
        self._checked(address, 390)

    def _checked(self, address: str, width: int):
        wide = self.browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{address} is {wide} px wide at {width}"
        found = self.browser.execute_async_script(AXE_RUN)
        told = [(row["id"], row["nodes"][0]["html"][:200]) for row in found["violations"]]
        assert told == [], (address, width, told)

    def _walked(self, address: str):
        """By the tabulator alone: every stop is reached, and shows that it is."""
        self.browser.execute_script(WATCH)
        for _ in range(LONGEST // ROUND):
            self.press(*[Keys.TAB] * ROUND)
            left, unmarked = self.browser.execute_script(LEFT)
            assert unmarked == [], f"{address} shows no focus on {unmarked[:3]}"
            if not left:
                return
        reached = self.browser.execute_script("return window.__seen.size")
        assert reached >= LONGEST - 5, f"{address}: the keyboard is held, {left[:3]} are not reached"
