"""Profiles: where the time of one case goes, layer by layer, as the runner's own profiler sees it."""

from benchmarks.profiling.report import profile_report as profile_report
from benchmarks.profiling.take import Profile as Profile
from benchmarks.profiling.take import profile_take as profile_take
