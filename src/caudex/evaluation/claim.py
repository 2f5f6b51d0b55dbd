"""A claim: a sentence, its score, and the scores of the baselines and controls measured in the same run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caudex.core.errors import CaudexError
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.verdicts import Gain, paired_gain, with_verdicts

PROVISIONAL_BELOW = 5
"""seeds"""


@dataclass(frozen=True)
class Claim:
    """One seed's evidence. The first of the `baselines` is the one that must be beaten."""

    statement: str
    score: float
    baselines: dict[str, float]
    extra_metrics: dict[str, float] = field(default_factory=dict)
    """reported, but the claim does not depend on them"""
    controls: dict[str, float] = field(default_factory=dict)
    """scores of what cannot know the answer (one class for all, a blind agent, shuffled labels): where one of them beats the
    first baseline as well, beating it shows nothing, and the claim is refused"""
    tuning_trials: dict[str, int] = field(default_factory=dict)
    """settings tried before these were chosen, for `score` and each baseline by name; where none is named, one"""
    tuning_seeds: Sequence[int] = ()
    """seeds on which they were chosen; these measure no claim"""

    def __post_init__(self):
        for figures in ({"score": self.score}, self.baselines, self.extra_metrics, self.controls):
            for name, figure in figures.items():
                if not math.isfinite(figure):
                    raise CaudexError(f"the claim's {name!r} came out as {figure}, which is no measurement.")
                figures[name] = float(figure)  # of NumPy, perhaps
        object.__setattr__(self, "score", float(self.score))
        trials = {name: self.tuning_trials.get(name, 1) for name in ("score", *self.baselines)}
        most, fewest = max(trials, key=trials.get), min(trials, key=trials.get)
        if trials[most] != trials[fewest]:
            raise CaudexError(
                f"{trials[most]} settings were tried for {most!r}, {trials[fewest]} for {fewest!r}; try as many for each."
            )


def summarize_claims(claims_by_value: Sequence[Sequence[Claim]]) -> list[dict]:
    """For each value of the varied setting (or the one that there is): means with intervals over the seeds, and gains
    paired by seed with their verdicts, which hold for all comparisons together. A part is `shown` when its score is better
    than the first baseline and no control is. The interval of a single seed is None.
    """
    gains = [
        paired_gain([claim.score for claim in claims], [claim.baselines[name] for claim in claims])
        for claims in claims_by_value
        for name in claims[0].baselines
    ]
    judged, parts = iter(with_verdicts(gains)), []
    for claims in claims_by_value:
        first = next(iter(claims[0].baselines))
        baselines = {
            name: mean_over_seeds([claim.baselines[name] for claim in claims]) | gain_fields(next(judged))
            for name in claims[0].baselines
        }
        controls = {}
        for name in claims[0].controls:
            scores = [claim.controls[name] for claim in claims]
            gain = paired_gain(scores, [claim.baselines[first] for claim in claims])
            controls[name] = mean_over_seeds(scores) | gain_fields(gain)
        verdict = baselines[first]["verdict"]
        winners = [name for name, control in controls.items() if control["verdict"] == "better"]
        parts.append(
            {
                "statement": claims[0].statement,
                **mean_over_seeds([claim.score for claim in claims]),
                "verdict": verdict,
                "shown": verdict == "better" and not winners,
                "comparisons": len(gains),
                "baselines": baselines,
                "controls": controls,
                "winning_controls": winners,
                "tuning_trials": dict(claims[0].tuning_trials),
                "extra_metrics": {
                    name: mean_over_seeds([claim.extra_metrics[name] for claim in claims])
                    for name in claims[0].extra_metrics
                },
            }
        )
    return parts


def mean_over_seeds(values: Sequence[float]) -> dict:
    mean, *interval = t_interval(values)
    return {"mean": mean, "interval": interval if len(values) > 1 else None}


def gain_fields(gain: Gain) -> dict:
    """As a claim keeps them."""
    content = gain.to_json()
    interval = None if content["low"] is None else [content["low"], content["high"]]
    return {"gain_interval": interval} | {name: content[name] for name in ("gain", "p_value", "detectable", "verdict")}


def overall_verdict(parts: Sequence[Mapping]) -> str:
    """That of all values of a setting: what holds for each of them."""
    verdicts = {part["verdict"] for part in parts}
    return verdicts.pop() if len(verdicts) == 1 else "not shown"


def refusal(claim: Mapping) -> str | None:
    """Why the claim is refused: the sentence says which control won."""
    for part in claim.get("values", [claim]):
        for name in part.get("winning_controls", ()):
            first, value = next(iter(part["baselines"])), ""
            if "value" in part:
                value = f" at {claim['setting'].replace('_', '-')} {part['value']:g}"
            return (
                f"the claim is refused: its control {name!r} beats the baseline {first!r}, too{value}, so that beating it shows "
                "nothing. Find a stronger baseline, or other data."
            )
    return None
