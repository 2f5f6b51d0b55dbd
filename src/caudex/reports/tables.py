"""Tables for the screen and the report; the first row is the header."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.core.run import Run

SPREAD = "± is half the 95% interval over the seeds; gains are paired by seed."


def claim_table(claim: dict) -> list[tuple]:
    """Figure and baselines with intervals, one row for each value of the varied setting and each baseline; behind these
    what was measured beside them."""
    over, form = claim.get("over", "").replace("_", " "), claim.get("number_format", ".2%")
    rows = [((over,) if over else ()) + (claim["system"], "against", "baseline", "gain")]
    for part in claim.get("values", [claim]):
        head = ((f"{part['value']:g}",) if over else ()) + (spread(part["figure"], part["interval"], form),)
        for name, baseline in part["baselines"].items():
            gain = spread(baseline["gain"], baseline["gain_interval"], "+" + form)
            gain += "" if baseline["gain_interval"] else " (one seed)"
            rows.append((*head, name, spread(baseline["figure"], baseline["interval"], form), gain))
            head = ("",) * len(head)
        rows += [(*head, name, spread(*found.values(), form), "") for name, found in part.get("further", {}).items()]
    return rows


def spread(mean: float, interval: Sequence[float] | None, form: str = ".2%") -> str:
    """Mean with half its 95% interval, where there is one; `form` is that of a number."""
    return f"{mean:{form}}" + (f" ± {(interval[1] - interval[0]) / 2:{form.lstrip('+')}}" if interval else "")


def finished(run: Run) -> bool:
    """Whether a training, or a claim, came to its end."""
    return bool(run.read_json("finished") or run.read_json("claim"))
