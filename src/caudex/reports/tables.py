"""Tables for the screen and the report; the first row is the header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caudex.errors import CaudexError
from caudex.run import Run
from caudex.system import System, opened

SPREAD = "± is half the 95% interval over the seeds; in brackets is that of the gain."


def claim_table(claim: dict) -> list[tuple]:
    """Figure and baselines with intervals, one row for each value of the varied setting and each baseline."""
    over = claim.get("over", "").replace("_", "-")
    rows = [((over,) if over else ()) + (claim["system"], "against", "baseline", "gain, paired by seed")]
    for part in claim.get("values", [claim]):
        head = (f"{part['value']:g}",) if over else ()
        for name, baseline in part["baselines"].items():
            low, high = baseline["gain_interval"] or (None, None)
            gain = f"{baseline['gain']:+.2%} " + ("(one seed)" if low is None else f"({low:+.2%} to {high:+.2%})")
            own = (spread(part["figure"], part["interval"]), name, spread(baseline["figure"], baseline["interval"]))
            rows.append((*head, *own, gain))
            head = ("",) * len(head)
    return rows


def spread(mean: float, interval: Sequence[float] | None) -> str:
    """Mean with half its 95% interval, where there is one."""
    return f"{mean:.2%}" + (f" ± {(interval[1] - interval[0]) / 2:.2%}" if interval else "")


def comparison(paths: Sequence[Path]) -> list[tuple]:
    """Results, compute, and the settings that differ, of several runs, a column each; - where one has no such."""
    if len(paths) < 2:
        raise CaudexError("compare needs at least two run folders.")
    runs = [opened(path) for path in paths]
    settings = [{"system": run.settings()["system"], **run.settings()["settings"]} for _, run in runs]
    lines: dict[str, list] = {}
    for i, (system, run) in enumerate(runs):
        for name, said in told(system, run).items():
            lines.setdefault(name, ["-"] * len(runs))[i] = said
    for name in dict.fromkeys(name for known in settings for name in known):
        if len({str(known[name]) for known in settings if name in known}) > 1:
            values = [str(known.get(name, "-")) for known in settings]
            lines["--" + name.replace("_", "-") if name != "system" else name] = values
    return [("", *map(str, paths)), *((name, *values) for name, values in lines.items())]


def told(system: System, run: Run) -> dict[str, str]:
    """What one run found and what it cost."""
    results = run.kept("results")
    header, *rows = (system.tell(results) if results else []) or [()]
    lines = {name: figure for name, figure, *_ in rows}
    if header and header[0]:  # a table whose columns are of one kind
        lines = {f"{row[0]}, {header[0]} {column}": cell for row in rows for column, cell in zip(header[1:], row[1:])}
    if "corrupted pictures" in header:
        lines = {row[0]: f"{row[1]}, corrupted {row[-1]}" if row[-1] else row[1] for row in rows}
    claim = run.kept("claim", {})
    for part in claim.get("values", [claim] if claim else []):
        over = f", {claim['over']} {part['value']:g}".replace("_", "-") if "over" in claim else ""
        lines["the claim's figure" + over] = spread(part["figure"], part["interval"])
    if compute := run.kept("compute"):
        lines |= {"TFLOP": f"{compute['flops'] / 1e12:,.3g}", "seconds": f"{compute['seconds']:,.1f}"}
    return lines
