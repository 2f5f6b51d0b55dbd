"""Tables, comparison and report.html."""

from caudex.reports.comparison import comparison_tables, run_column
from caudex.reports.html import write_report
from caudex.reports.returns import add_statistics, plot_returns, return_columns
from caudex.reports.tables import claim_notes, claim_table, claim_verdict, is_finished

__all__ = [
    "add_statistics",
    "claim_notes",
    "claim_table",
    "claim_verdict",
    "comparison_tables",
    "is_finished",
    "plot_returns",
    "return_columns",
    "run_column",
    "write_report",
]  # fmt: skip
