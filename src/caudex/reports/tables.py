"""Tables for the screen and the report; the first row is the header."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.core.run import Run

INTERVAL_NOTE = "± is half the 95% interval over the seeds; gains are paired by seed."


def claim_table(claim: dict) -> list[tuple]:
    """Scores and baselines with intervals, a row for each value of the varied setting and each baseline; then the extra
    metrics."""
    setting, number_format = claim.get("setting", "").replace("_", " "), claim.get("number_format", ".2%")
    rows = [((setting,) if setting else ()) + (claim["system"], "baseline", "baseline score", "gain")]
    for part in claim.get("values", [claim]):
        score = format_mean(part["mean"], part["interval"], number_format)
        first_cells = ((f"{part['value']:g}",) if setting else ()) + (score,)
        for name, baseline in part["baselines"].items():
            gain = format_mean(baseline["gain"], baseline["gain_interval"], "+" + number_format)
            gain += "" if baseline["gain_interval"] else " (one seed)"
            rows.append((*first_cells, name, format_mean(baseline["mean"], baseline["interval"], number_format), gain))
            first_cells = ("",) * len(first_cells)
        for name, metric in part.get("extra_metrics", {}).items():
            rows.append((*first_cells, name, format_mean(metric["mean"], metric["interval"], number_format), ""))
    return rows


def format_mean(mean: float, interval: Sequence[float] | None, number_format: str = ".2%") -> str:
    """The mean with half its 95% interval, where there is one."""
    if not interval:
        return f"{mean:{number_format}}"
    return f"{mean:{number_format}} ± {(interval[1] - interval[0]) / 2:{number_format.lstrip('+')}}"


def is_finished(run: Run) -> bool:
    """Whether a training, or a claim, has ended."""
    return bool(run.read_json("finished") or run.read_json("claim"))
