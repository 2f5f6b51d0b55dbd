"""What people look at: tables, curves, report.html."""

from caudex.reports.comparison import comparison, of_run
from caudex.reports.html import write_report
from caudex.reports.returns import draw, judge, of_envs
from caudex.reports.tables import SPREAD, claim_table, finished

__all__ = [
    "SPREAD",
    "claim_table",
    "comparison",
    "draw",
    "finished",
    "judge",
    "of_envs",
    "of_run",
    "write_report",
]  # fmt: skip
