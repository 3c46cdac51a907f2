"""A real headless Chromium over the pages of a test's own database."""

from pathlib import Path

import pytest
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.core.cache import cache
from django.core.management import call_command

from perfsite.results.models import Series
from tests.e2e.chromium import CHROMIUM, DRIVER, FLAGS

selenium = pytest.importorskip("selenium", reason="selenium is not installed: pip install '.[test]'")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PATIENCE_S = 60
NEEDS = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no Chromium with its driver here: apt-get install chromium chromium-driver",
    ),
]


class Browser(StaticLiveServerTestCase):
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
