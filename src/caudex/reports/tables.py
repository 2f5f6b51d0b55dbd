"""Tables for the screen and the report; the first row is the header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caudex.errors import CaudexError
from caudex.system import opened


def claim_table(claim: dict) -> list[tuple]:
    """Figure and baselines with intervals, one row for each value of the varied setting and each baseline."""
    over = claim.get("over", "").replace("_", "-")
    rows = [((over,) if over else ()) + (claim["system"], "against", "baseline", "gain, paired by seed")]
    for part in claim.get("values", [claim]):
        head = (f"{part['value']:g}",) if over else ()
        for name, baseline in part["baselines"].items():
            gain, (low, high) = baseline["gain"], baseline["gain_interval"]
            own = (spread(part["figure"], part["interval"]), name, spread(baseline["figure"], baseline["interval"]))
            rows.append((*head, *own, f"{gain:+.2%} ({low:+.2%} to {high:+.2%})"))
            head = ("",) * len(head)
    return rows


def spread(mean: float, interval: Sequence[float]) -> str:
    """Mean with half its 95% interval."""
    return f"{mean:.2%} ± {(interval[1] - interval[0]) / 2:.2%}"


def comparison(paths: Sequence[Path]) -> list[tuple]:
    """Results, compute and the settings that differ of several runs, a column each."""
    if len(paths) < 2:
        raise CaudexError("compare needs at least two run folders.")
    runs = [opened(path) for path in paths]
    settings = [{"system": run.settings()["system"], **run.settings()["settings"]} for _, run in runs]
    lines: dict[str, list] = {}
    for name in dict.fromkeys(name for known in settings for name in known):
        values = [str(known.get(name, "-")) for known in settings]
        if len(set(values)) > 1:
            lines[name] = values
    for i, (_, run) in enumerate(runs):
        for name, found in run.kept("results", {}).items():
            if isinstance(found, dict) and "accuracy" in found:
                lines.setdefault(name, ["-"] * len(runs))[i] = (
                    f"{found['accuracy']:.1%}, corrupted {found['corrupted']:.1%}"
                )
        compute = run.kept("compute", {})
        for name in ("flops", "seconds"):
            lines.setdefault(name, ["-"] * len(runs))[i] = f"{compute.get(name, float('nan')):,.4g}"
    return [("", *map(str, paths)), *((name, *values) for name, values in lines.items())]
