"""Young projects: the eager screen on short series, beside the screen of windows."""

from tests.regressions.detection_young import asked_eager, asked_old, young_score


def test_the_eager_screen_is_no_worse_than_the_windows_on_short_series():
    """Seeds of their own; 0.03 and 2 per 1,000 are about one standard error of these counts' difference."""
    eager, windows = young_score(asked_eager, 950_001), young_score(asked_old, 950_001)
    assert eager["caught"] >= windows["caught"] - 0.03
    assert eager["within 3"] >= windows["within 3"] - 0.03
    assert eager["in vain"] <= windows["in vain"] + 2.0
