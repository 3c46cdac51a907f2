"""The simulated fleet: nothing is lost in it, and it moves the way it must."""

from dataclasses import replace

from perfsite.bench.fleet import Fleet, fleet_told, growth_per_year, queue_simulate, requests_at_peak

SMALL = Fleet(gpus=20, classes=2, projects=10, pushes=100, series=10_000, job_s=600, days=1)


def test_every_job_is_served_and_fewer_gpus_make_them_wait():
    many, few = queue_simulate(SMALL), queue_simulate(replace(SMALL, gpus=8))
    assert many.jobs == few.jobs >= 100 * SMALL.jobs_per_push
    assert few.wait_p99_s > many.wait_p99_s
    assert few.busy_mean > many.busy_mean
    assert few.deepest > many.deepest


def test_an_idle_fleet_waits_for_nothing_and_its_busy_time_is_the_jobs():
    calm = replace(SMALL, gpus=2000, odd=0.0, pushes=50)
    queue = queue_simulate(calm)
    assert (queue.wait_p99_s, queue.deepest) == (0.0, 0)
    worked = queue.busy_mean * calm.gpus * 86_400
    assert 0.9 * 50 * 10 * 600 < worked < 1.1 * 50 * 10 * 600


def test_growth_follows_pushes_and_series():
    year = growth_per_year(SMALL)
    assert year["point"]["rows"] == 365 * 100 * 10 * 100
    assert growth_per_year(replace(SMALL, pushes=200))["point"]["bytes"] == 2 * year["point"]["bytes"]


def test_what_breaks_first_is_what_is_asked_most_of_what_is_served():
    queue = queue_simulate(SMALL)
    wanted = requests_at_peak(SMALL, queue)
    served = dict.fromkeys((name.partition(",")[0] for name in wanted), 1.0)
    served["webhooks accepted"] = 1e-6
    told = fleet_told(SMALL, served)
    assert told["breaks_first"][0] == "webhooks accepted"
    assert told["loads"]["heartbeats kept, every GPU at work"]["wanted"] == 4.0
