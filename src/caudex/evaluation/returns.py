"""The returns of some episodes: their mean, its interval and their range."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from caudex.evaluation.intervals import t_interval


def summarize_returns(returns: np.ndarray) -> dict[str, float]:
    """Mean of returns [episodes], its 95% interval, the best and the worst."""
    mean, low, high = t_interval(returns)
    return {"return": mean, "low": low, "high": high, "best": float(returns.max()), "worst": float(returns.min())}


def format_return_summary(summary: Mapping[str, float]) -> tuple[str, ...]:
    """Cells of a table from what `summarize_returns` gives: mean, interval, worst and best."""
    interval = f"{summary['low']:,.1f} to {summary['high']:,.1f}" if np.isfinite(summary["low"]) else ""
    return f"{summary['return']:,.1f}", interval, f"{summary['worst']:,.1f}", f"{summary['best']:,.1f}"
