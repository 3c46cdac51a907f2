"""The names of the faults that a report meets inside the worker; the harness must not import the worker."""

REPORT_FAULTS = (
    "report_twice",
    "report_out_of_order",
    "report_answer_lost",
    "worker_killed_sending",
    "worker_killed_reporting",
)
