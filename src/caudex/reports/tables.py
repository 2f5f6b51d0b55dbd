"""Tables for the screen and the report; the first row is the header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caudex.errors import CaudexError
from caudex.run import Run
from caudex.system import System, opened

SPREAD = "± is half the 95% interval over the seeds; gains are paired by seed."


def claim_table(claim: dict) -> list[tuple]:
    """Figure and baselines with intervals, one row for each value of the varied setting and each baseline."""
    over, form = claim.get("over", "").replace("_", " "), claim.get("form", ".2%")
    rows = [((over,) if over else ()) + (claim["system"], "against", "baseline", "gain")]
    for part in claim.get("values", [claim]):
        head = ((f"{part['value']:g}",) if over else ()) + (spread(part["figure"], part["interval"], form),)
        for name, baseline in part["baselines"].items():
            gain = spread(baseline["gain"], baseline["gain_interval"], "+" + form)
            gain += "" if baseline["gain_interval"] else " (one seed)"
            rows.append((*head, name, spread(baseline["figure"], baseline["interval"], form), gain))
            head = ("",) * len(head)
    return rows


def spread(mean: float, interval: Sequence[float] | None, form: str = ".2%") -> str:
    """Mean with half its 95% interval, where there is one; `form` is that of a number."""
    return f"{mean:{form}}" + (f" ± {(interval[1] - interval[0]) / 2:{form.lstrip('+')}}" if interval else "")


def comparison(paths: Sequence[Path]) -> list[list[tuple]]:
    """Results, cost, and the settings that differ, of several runs: a table each, with a column for each run; - where
    one has no such."""
    if len(paths) < 2:
        raise CaudexError("compare needs at least two run folders.")
    runs = [opened(path) for path in paths]
    groups: dict[str, dict[str, list]] = {"results": {}, "cost": {}, "settings that differ": {}}
    for i, (system, run) in enumerate(runs):
        for group, found in {"results": told(system, run), "cost": cost(run)}.items():
            for name, said in found.items():
                groups[group].setdefault(name, ["-"] * len(runs))[i] = said
    settings = [{"system": run.settings()["system"], **run.settings()["settings"]} for _, run in runs]
    for name in dict.fromkeys(name for known in settings for name in known):
        if len({str(known[name]) for known in settings if name in known}) > 1:
            flag = "--" + name.replace("_", "-") if name != "system" else name
            groups["settings that differ"][flag] = [str(known.get(name, "-")) for known in settings]
    names = [str(path) if finished(run) else f"{path} (not finished)" for path, (_, run) in zip(paths, runs)]
    return [
        [(group, *names), *((name, *said) for name, said in lines.items())] for group, lines in groups.items() if lines
    ]


def finished(run: Run) -> bool:
    """Whether a training, or a claim, came to its end."""
    return bool(run.kept("finished") or run.kept("claim"))


def told(system: System, run: Run) -> dict[str, str]:
    """What one run found."""
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
        lines["the claim's figure" + over] = spread(part["figure"], part["interval"], claim.get("form", ".2%"))
    return lines


def cost(run: Run) -> dict[str, str]:
    """What one run cost."""
    compute = run.kept("compute")
    return {"TFLOP": f"{compute['flops'] / 1e12:,.3g}", "seconds": f"{compute['seconds']:,.1f}"} if compute else {}
