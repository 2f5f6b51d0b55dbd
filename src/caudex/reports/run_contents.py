"""What a report reads of a run, with the kinds that tables and figures need: a stranger may have written it."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from caudex.core.run import Run
from caudex.core.typed_json import Count, Finite, misfit
from caudex.evaluation.result_kinds import Verdict

NumberFormat = Annotated[str, Meta(pattern=r"^,?\.[0-9][%f]$")]
SettingName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,99}$")]
Interval = tuple[float, float] | None


class Mean(TypedDict):
    mean: Finite
    interval: Interval


class Control(Mean):
    verdict: Verdict


class ClaimGain(Mean):
    """Of a score over a baseline."""

    gain: Finite
    gain_interval: Interval
    verdict: Verdict
    detectable: NotRequired[Finite | None]


class ClaimPart(TypedDict):
    """The scores for one value of the varied setting, or of a claim that varies none."""

    mean: Finite
    interval: Interval
    baselines: Annotated[dict[str, ClaimGain], Meta(min_length=1)]
    extra_metrics: dict[str, Mean]
    controls: NotRequired[dict[str, Control]]
    tuning_trials: NotRequired[dict[str, Count]]


class ClaimPartAt(ClaimPart):
    value: Finite


ClaimFrame = TypedDict(  # noqa: UP013
    "ClaimFrame",
    {
        "system": str,
        "statement": str,
        "shown": bool,
        "scale": str,
        "seeds": list[Count],
        "command": str,
        "number_format": NotRequired[NumberFormat],
        "verdict": NotRequired[Verdict],
        "refused": NotRequired[str | None],
        "provisional": NotRequired[bool],
    },
)
"""what every claim.json has"""


class OneClaim(ClaimFrame, ClaimPart):
    """claim.json without a varied setting."""


class Sweep(ClaimFrame):
    """claim.json of several values of one setting."""

    setting: SettingName
    values: Annotated[list[ClaimPartAt], Meta(min_length=1)]


class SeedClaim(TypedDict):
    score: Finite
    baselines: dict[str, Finite]
    extra_metrics: dict[str, Finite]


class SeedScores(TypedDict):
    """claim.json of one seed."""

    claim: SeedClaim


def read_claim(run: Run) -> dict | None:
    """claim.json, or None; raises CaudexError where it is not as `measure_claim` writes it."""
    is_sweep = "setting" in (run.read_json("claim") or {})
    claim = run.read_checked("claim", Sweep if is_sweep else OneClaim)
    if is_sweep and any(part["baselines"].keys() != claim["values"][0]["baselines"].keys() for part in claim["values"]):
        raise misfit(run.path / "claim.json", "its parts have other baselines")
    return claim


ShareCell = float | Literal[""]
"""of a table: nothing where nothing was known"""


class Round(TypedDict):
    """A row of tables/rounds.csv, which has further columns."""

    pseudo_label_accuracy: NotRequired[ShareCell]
    student_accuracy: NotRequired[ShareCell]


LAYER_COLUMNS = {
    "linear": "linear probe", "neighbours": "20 neighbours", "held out": "linear, held-out labels",
    "random trunk": "linear, random trunk",
}  # fmt: skip
Layer = TypedDict("Layer", {"layer": str, **dict.fromkeys(LAYER_COLUMNS, ShareCell)})
"""a row of tables/layers.csv"""
