"""What people look at: tables, curves, report.html."""

from caudex.reports.html import write_report
from caudex.reports.tables import SPREAD, claim_table, comparison, finished

__all__ = ["SPREAD", "claim_table", "comparison", "finished", "write_report"]
