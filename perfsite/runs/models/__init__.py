"""The tables of the room, a file for each part of it."""

from perfsite.runs.models.builds import Build, BuildFile, Project, _secret
from perfsite.runs.models.jobs import Attempt, Job, Pair, Run, SiteStart, Worker
from perfsite.runs.models.schedules import Schedule, ScheduledJob, ScheduleTurn

__all__ = [
    "Attempt",
    "Build",
    "BuildFile",
    "Job",
    "Pair",
    "Project",
    "Run",
    "Schedule",
    "ScheduleTurn",
    "ScheduledJob",
    "SiteStart",
    "Worker",
    "_secret",  # the first migration names it here
]
