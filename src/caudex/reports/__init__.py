"""What people look at: tables, curves, report.html."""

from caudex.reports.html import write_report
from caudex.reports.tables import SPREAD, claim_table, comparison

__all__ = ["SPREAD", "claim_table", "comparison", "write_report"]
