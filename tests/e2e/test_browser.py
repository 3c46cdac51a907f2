"""The pages in a real headless Chromium: first run, live chart, zoom, compare, triage, keyboard."""

import re

from selenium.webdriver.common.keys import Keys

from perfsite.regressions.models import Incident
from perfsite.results.models import Series
from perfsite.runs.models import Job
from tests.dashboards.conftest import GOOD_S, measured
from tests.e2e.browsing import NEEDS, Browser
from tests.factories import project_make, worker_make

pytestmark = NEEDS


class BrowserTest(Browser):
    """What people do."""

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

    def test_raw_samples_are_drawn_where_few_builds_are_and_the_address_keeps_them(self):
        series = self.history()
        self.open(f"/series/{series.pk}/")
        self.wait(lambda: self.all(".u-over"))
        hint = lambda: self.find("[data-samples-hint]").text  # noqa: E731
        self.find("[data-toggle='samples']").send_keys(Keys.SPACE)
        self.wait(lambda: "50 builds or fewer" in hint())
        for _ in range(3):
            self.find("[data-chart]").send_keys(Keys.END, "+")
        self.wait(
            lambda: re.fullmatch(r"[\d,]+ samples( out of [\d,]+, evenly spaced,)? of \d+ builds", hint())
        )
        assert "samples=1" in self.browser.current_url
        told, address = hint(), self.browser.current_url
        picture = "return document.querySelector('[data-chart] canvas').toDataURL()"
        self.wait(lambda: int(self.find("[data-chart]").get_attribute("data-drawn")) > 1)
        shown = self.browser.execute_script(picture)
        self.find("[data-toggle='samples']").send_keys(Keys.SPACE)
        self.wait(lambda: hint() == "" and self.browser.execute_script(picture) != shown)
        assert "samples" not in self.browser.current_url
        self.browser.get(address)
        self.wait(lambda: self.all(".u-over") and hint() == told)
        self.wait(lambda: self.browser.execute_script(picture) == shown)

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
