"""Where each page answers."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from perfsite.dashboards.views import (
    audit,
    backfill,
    grading,
    home,
    incidents,
    outbox,
    projects,
    pulls,
    runs,
    search,
    series,
    series_actions,
    series_data,
    trends,
    workers,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("live/", home.live, name="live"),
    path("search/", search.search, name="search"),
    path("projects/<slug:slug>/", projects.project_overview, name="project"),
    path("projects/<slug:slug>/trends/", trends.trends, name="trends"),
    path("projects/<slug:slug>/builds/", projects.builds, name="builds"),
    path("projects/<slug:slug>/builds/<int:pk>/", projects.build, name="build"),
    path("projects/<slug:slug>/builds/<int:pk>/measure/", backfill.build_measure, name="build-measure"),
    path("projects/<slug:slug>/incidents/", incidents.project_incidents, name="project-incidents"),
    path("projects/<slug:slug>/incidents/<int:pk>/", incidents.incident, name="incident"),
    path("projects/<slug:slug>/incidents/<int:pk>/triage/", incidents.triage, name="incident-triage"),
    path("projects/<slug:slug>/incidents/<int:pk>/measure/", backfill.range_measure, name="range-measure"),
    path("projects/<slug:slug>/incidents/<int:pk>/recheck/", incidents.recheck, name="incident-recheck"),
    path("projects/<slug:slug>/pulls/", pulls.pulls, name="pulls"),
    path("projects/<slug:slug>/pulls/<slug:forge>/<int:number>/", pulls.pull, name="pull"),
    path("projects/<slug:slug>/pulls/heads/<int:pk>/approve/", pulls.approve, name="pull-approve"),
    path("projects/<slug:slug>/pulls/authors/<int:pk>/distrust/", pulls.distrust, name="author-distrust"),
    path("projects/<slug:slug>/grading/", grading.grading, name="grading"),
    path("projects/<slug:slug>/grading/apply/", grading.rule_apply, name="rule-apply"),
    path("incidents/", incidents.incidents, name="incidents"),
    path("series/<int:pk>/", series.series, name="series"),
    path("series/<int:pk>/data.json", series_data.series_data, name="series-data"),
    path("series/<int:pk>/builds/<int:build>/<slug:action>/", series_actions.series_act, name="series-act"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.run_live, name="run-live"),
    path("runs/<int:pk>/cancel/", runs.run_cancel, name="run-cancel"),
    path("runs/<int:pk>/again/", runs.run_again, name="run-again"),
    path("jobs/<int:pk>/cancel/", runs.job_cancel, name="job-cancel"),
    path("jobs/<int:pk>/again/", runs.job_again, name="job-again"),
    path("artifacts/<int:pk>/", runs.artifact, name="artifact"),
    path("workers/", workers.workers, name="workers"),
    path("audit/", audit.audit, name="audit"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/<int:pk>/", outbox.mail, name="mail"),
    path("login/", LoginView.as_view(template_name="dashboards/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
