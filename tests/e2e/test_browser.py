"""The pages in a real headless Chromium: first run, live chart, zoom, compare, keyboard, phone, dark, axe."""

import shutil
from pathlib import Path

import pytest
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.core.cache import cache
from django.core.management import call_command

from perfsite.regressions.models import Incident
from perfsite.results.models import Series
from perfsite.runs.models import Build, Job
from tests.dashboards.conftest import GOOD_S, measured
from tests.factories import project_make, worker_make

selenium = pytest.importorskip("selenium", reason="selenium is not installed: pip install '.[test]'")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
# left out: the strips of builds, whose cells are smaller than 24 px; the table of builds has the same links
AXE_RUN = """
axe.run({exclude: [['.strip']]}, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']}).then(arguments[0])
"""
PATIENCE_S = 60
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync --hide-scrollbars"
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no Chromium with its driver here: apt-get install chromium chromium-driver",
    ),
]


class BrowserTest(StaticLiveServerTestCase):
    """One browser for all of them; every test has a database of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        options = webdriver.ChromeOptions()
        for flag in FLAGS.split():
            options.add_argument(flag)
        options.binary_location = CHROMIUM
        options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
        cls.browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        cls.addClassCleanup(cls.browser.quit)

    def setUp(self):
        cache.clear()
        self.look(1440)
        self.browser.delete_all_cookies()

    def tearDown(self):
        severe = [entry["message"] for entry in self.browser.get_log("browser")]
        self.browser.get("about:blank")  # the page asks nothing more of a site whose rows go
        assert not [text for text in severe if "favicon" not in text], severe

    def look(self, width: int, *, scheme: str = "light"):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, path: str):
        self.browser.get(self.live_server_url + path)

    def wait(self, condition):
        return WebDriverWait(self.browser, PATIENCE_S, poll_frequency=0.1).until(lambda _: condition())

    def find(self, selector: str):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def press(self, *keys: str):
        self.browser.switch_to.active_element.send_keys(*keys)

    def history(self) -> Series:
        """A year of a few series, one with a change."""
        call_command("generate_history", series=40, builds=260, seed=5, project="zoo", verbosity=0)
        moved = Series.objects.filter(verdicts__kind="regressed").order_by("id")
        return moved.first() or Series.objects.first()

    def login(self):
        from django.contrib.auth import get_user_model
        from django.test import Client

        user = get_user_model().objects.create_superuser("ada", password="difference-engine")
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        self.open("/login/")
        self.browser.add_cookie(
            {"name": "sessionid", "value": client.cookies["sessionid"].value, "path": "/"}
        )

    def test_a_new_user_is_led_to_the_first_chart_which_then_lives(self):
        self.login()
        self.open("/")
        assert "No project yet" in self.find("h1").text
        assert "project add" in self.find(".command code").text
        project = project_make(slug="first", name="First", is_public=True)
        self.open("/")
        self.find("a[href='/projects/first/']").click()
        assert "No build yet" in self.find("h2").text
        worker = worker_make("bench-1")
        for ordinal in range(1, 9):
            measured(project, ordinal, GOOD_S, worker)
        series = Series.objects.get(metric="latency_p50")
        self.open(f"/series/{series.pk}/")
        self.wait(lambda: self.all(".u-over"))
        before = int(self.find("[data-chart]").get_attribute("data-drawn") or 0)
        measured(project, 9, GOOD_S * 1.02, worker)
        # no reload: the chart looks by itself and draws the new point
        self.wait(lambda: int(self.find("[data-chart]").get_attribute("data-drawn") or 0) > before)
        self.find("[data-chart]").send_keys(Keys.END)
        assert "commit 9" in self.find(".tip-subject").text

    def test_a_zoom_is_in_the_address_and_survives_a_reload(self):
        series = self.history()
        self.open(f"/series/{series.pk}/")
        self.wait(lambda: self.all(".u-over"))
        self.find("[data-zoom='0.5']").click()
        self.wait(lambda: "first=" in self.browser.current_url)
        self.find("[data-pan='-1']").click()
        self.find("[data-toggle='log']").click()
        self.find("[data-toggle='time']").click()
        self.wait(lambda: "x=time" in self.browser.current_url)
        address = self.browser.current_url
        assert "format=json" in self.find("[data-twin='json']").get_attribute("href")
        self.browser.refresh()
        self.wait(lambda: self.all(".u-over"))
        assert self.browser.current_url == address
        assert self.find("[data-toggle='log']").is_selected()
        assert self.find("[data-zoom-reset]").is_displayed()
        self.find("[data-zoom-reset]").click()
        self.wait(lambda: "first=" not in self.browser.current_url)

    def test_another_series_is_laid_over_it(self):
        series = self.history()
        self.open(f"/series/{series.pk}/")
        self.wait(lambda: self.all(".u-over"))
        # by keys: the page still settles, and a click could meet another place
        self.find(".overlays summary").send_keys(Keys.ENTER)
        self.wait(lambda: self.find("[data-overlay]").is_displayed())
        self.find("[data-overlay]").send_keys(Keys.SPACE)
        self.wait(lambda: self.all(".legend-overlay"))
        assert "also=" in self.browser.current_url

    def test_two_builds_are_compared_and_narrowed(self):
        self.history()
        self.open("/projects/zoo/compare/")
        rows = len(self.all("tbody tr"))
        self.find("#narrow").send_keys("tensorrt p99", Keys.ENTER)
        self.wait(lambda: "q=tensorrt" in self.browser.current_url)
        assert 0 < len(self.all("tbody tr")) < rows

    def test_the_keyboard_alone_reaches_everything(self):
        series = self.history()
        self.open("/")
        self.press(Keys.TAB)
        assert self.browser.switch_to.active_element.text == "Skip to the content"
        self.press("?")
        self.wait(lambda: self.find("#help").is_displayed())
        self.press(Keys.ESCAPE)
        self.find("body").send_keys("/")
        self.press("resnet50", Keys.ENTER)
        self.wait(lambda: "/search/" in self.browser.current_url)
        self.find("body").send_keys("g", "i")
        self.wait(lambda: "/incidents/" in self.browser.current_url)
        self.open(f"/series/{series.pk}/")
        chart = self.find("[data-chart]")
        self.wait(lambda: self.all(".u-over"))
        chart.send_keys(Keys.END, Keys.ARROW_LEFT)
        newest = list(series.points.order_by("-ordinal")[:2])
        assert newest[1].build.short in self.find(".tip").text
        assert newest[1].build.subject in self.find("[data-spoken]").get_attribute("textContent")
        chart.send_keys(Keys.ENTER)
        self.wait(lambda: f"/runs/{newest[1].job.run_id}/" in self.browser.current_url)

    def test_many_incidents_are_triaged_at_once(self):
        self.history()
        self.login()
        self.open("/incidents/?kind=code")
        ticks = self.all("input[name='incidents']")
        many = min(2, len(ticks))
        assert many
        chosen = [int(tick.get_attribute("value")) for tick in ticks[:many]]
        for tick in ticks[:many]:
            tick.click()
        self.find("#bulk-state").send_keys("accepted")
        self.find("#bulk-reason").send_keys("worth the accuracy", Keys.ENTER)
        self.wait(lambda: self.all(".messages"))
        assert f"{many} of {many} incidents are accepted now" in self.find(".messages").text
        assert "kind=code" in self.browser.current_url, "one comes back to the list as it was narrowed"
        assert set(Incident.objects.filter(pk__in=chosen).values_list("state", flat=True)) == {"accepted"}

    def test_the_course_of_a_soak_is_drawn_and_fits_a_phone(self):
        self.history()
        soak = Job.objects.filter(artifacts__name__startswith="soak-").order_by("pk").first()
        for width in (1440, 390):
            self.look(width)
            self.open(f"/jobs/{soak.pk}/soak/")
            assert "memory lasts for" in self.find("#found").text
            strips = self.all(".soak-strip svg")
            assert len(strips) == 6
            assert all(strip.size["width"] > width / 2 for strip in strips)

    def _addresses(self) -> list[str]:
        series, build = (
            self.history(),
            Build.objects.filter(points__isnull=False).order_by("-ordinal").first(),
        )
        project = "/projects/zoo"
        return [
            "/", "/moved/?since=year", "/incidents/", f"{project}/", f"{project}/trends/?q=p50",
            f"{project}/builds/", f"{project}/grid/", f"{project}/compare/",
            f"{project}/hardware/?p99=50&qps=100",
            f"/series/{series.pk}/?build={build.pk}", f"/runs/{build.runs.first().pk}/",
            f"/jobs/{Job.objects.filter(artifacts__name__startswith='soak-').first().pk}/soak/",
        ]  # fmt: skip

    def test_no_page_is_wider_than_a_phone_and_none_fails_axe_in_either_theme(self):
        addresses = self._addresses()
        assert AXE.is_file(), "install the package (pip install -e .): its build hook fetches axe-core"
        axe = AXE.read_text()
        self.login()
        for width, scheme in ((1440, "light"), (390, "dark")):
            self.look(width, scheme=scheme)
            for address in addresses:
                with self.subTest(address=address, width=width, scheme=scheme):
                    self.open(address)
                    wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                    assert wide <= width, f"{address} is {wide} px wide"
                    self.browser.execute_script(axe)
                    found = self.browser.execute_async_script(AXE_RUN)
                    told = [(row["id"], row["nodes"][0]["html"][:200]) for row in found["violations"]]
                    assert told == [], (address, told)
