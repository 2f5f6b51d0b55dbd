"""How far from where an object stands it is predicted to be, compared with saying the table's centre."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from caudex.evaluation.intervals import t_interval

NEAR = 2.0
"""cm within which an object counts as found"""


def location_errors(predictions: Tensor, positions: Tensor) -> dict:
    """Of positions [N, 2] in cm: the mean distance with its interval, the median, the share that is near; `chance` and
    `near_chance` are those of saying the table's centre for all."""
    errors, chance = (predictions - positions).norm(dim=1), positions.norm(dim=1)
    mean, low, high = t_interval(errors.numpy())
    row = {"error": mean, "median": errors.median().item(), "near": (errors <= NEAR).double().mean().item()}
    row |= {"chance": chance.mean().item(), "near_chance": (chance <= NEAR).double().mean().item()}
    return row | {"test_size": len(errors)} | ({"low": low, "high": high} if len(errors) > 1 else {})


def location_rows(results: Mapping[str, Mapping]) -> list[tuple]:
    """The table of what `location_errors` gave for each set of tests."""
    rows = [("", "error, cm", "95% interval", "median", f"within {NEAR:g} cm")]
    for name, row in results.items():
        interval = f"{row['low']:.2f} to {row['high']:.2f} of {row['test_size']:,}" if "low" in row else ""
        rows.append((name, f"{row['error']:.2f}", interval, f"{row['median']:.2f}", f"{row['near']:.1%}"))
        rows.append(("by the table's centre", f"{row['chance']:.2f}", "", "", f"{row['near_chance']:.1%}"))
    return rows


def location_warnings(results: Mapping[str, Mapping]) -> list[str]:
    return [
        f"{name}: no better than saying the table's centre; try more --steps and --images."
        for name, row in results.items()
        if row.get("high", row["error"]) >= row["chance"]
    ]
