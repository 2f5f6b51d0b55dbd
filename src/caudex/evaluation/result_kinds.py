"""What tables and warnings need of results.json, which a stranger may have written; it may have more.

Rows that have several forms are checked when they are read (`__post_init__`): what stands there stands there whole.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from caudex.core.typed_json import Amount, Count, Finite, Share

TestSize = Annotated[int, Meta(ge=1, le=1 << 62)]
Verdict = Literal["better", "worse", "not shown"]
Temperature = Annotated[float, Meta(gt=0, le=1e6)]


class Accuracy(Struct):
    accuracy: Share
    low: Finite
    high: Finite
    test_size: TestSize


class BestLayer(Accuracy):
    layer: str
    random: Share


class ClassRecall(Struct):
    recall: Share
    count: TestSize


class Majority(Struct):
    """One class for all."""

    accuracy: Share
    name: str = field(name="class")


class GainRow(Struct):
    gain: Finite
    low: Finite | None
    high: Finite | None
    verdict: Verdict
    detectable: Finite | None = None

    def __post_init__(self):
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")


class TagPrecision(Struct):
    average_precision: Share
    share: Share
    count: TestSize


class TagResults(Struct):
    """Of a test of tags; the mean and its interval are missing where no tag was tested."""

    test_size: TestSize
    untested: list[str]
    by_tag: dict[str, TagPrecision]
    mean_average_precision: Share | UnsetType = UNSET
    share: Share | UnsetType = UNSET
    low: Share | None = None
    high: Share | None = None

    def __post_init__(self):
        if (self.mean_average_precision is UNSET) != (self.share is UNSET) or (self.low is None) != (self.high is None):
            raise ValueError("a mean average precision has its share and an interval of two ends")


class NumberResults(Struct):
    """Of a test of numbers."""

    test_size: TestSize
    name: str
    r_squared: Finite | None
    r_squared_interval: tuple[Finite, Finite] | None
    absolute_error: Amount
    absolute_error_interval: tuple[Finite, Finite] | None
    error_of_mean: Amount
    gain_over_mean: GainRow


class ResultRow(Struct):
    """An accuracy, a gain, or other figures."""

    accuracy: Share | UnsetType = UNSET
    gain: Finite | UnsetType = UNSET
    low: Finite | UnsetType | None = UNSET
    high: Finite | UnsetType | None = UNSET
    test_size: TestSize | UnsetType = UNSET
    corrupted: Share | UnsetType = UNSET
    macro_f1: Share | UnsetType = UNSET
    recall: dict[str, ClassRecall] | UnsetType = UNSET
    majority: Majority | UnsetType = UNSET
    gain_over_majority: GainRow | UnsetType = UNSET
    calibration_error: Share | UnsetType = UNSET
    uncalibrated_error: Share | UnsetType = UNSET
    temperature: Temperature | UnsetType = UNSET
    column: str | UnsetType = UNSET
    tags: TagResults | UnsetType = UNSET
    number: NumberResults | UnsetType = UNSET
    verdict: Verdict | UnsetType = UNSET
    detectable: Finite | None = None

    def __post_init__(self):
        if self.accuracy is not UNSET and (
            None in (self.low, self.high) or UNSET in (self.low, self.high, self.test_size)
        ):
            raise ValueError("an accuracy has low, high and test_size")
        if self.gain is not UNSET and (
            UNSET in (self.low, self.high, self.verdict) or (self.low is None) != (self.high is None)
        ):
            raise ValueError("a gain has low, high and verdict")
        if self.calibration_error is not UNSET and UNSET in (self.uncalibrated_error, self.temperature):
            raise ValueError("a calibration error has the uncalibrated one and a temperature beside it")
        if self.column is not UNSET and self.accuracy is not UNSET and self.majority is UNSET:
            raise ValueError("a further column of labels has a majority beside its accuracy")
        if self.majority is not UNSET and UNSET in (self.accuracy, self.recall):
            raise ValueError("a majority has an accuracy and recall beside it")
        if self.gain_over_majority is not UNSET and self.majority is UNSET:
            raise ValueError("a gain over the majority has the majority beside it")


ImageResults = dict[str, ResultRow | float | str | bool | list | None]


def check_gain(gain: dict | None) -> None:
    """Raises ValueError where a gain is neither empty nor whole."""
    if gain:
        msgspec.convert(gain, GainRow)


class DomainArm(Struct):
    """Of one way to learn from a simulator; without accuracy where the target has no labels."""

    probe: Share | UnsetType = UNSET
    discriminator: Share | UnsetType = UNSET
    accuracy: Share | UnsetType = UNSET
    low: Finite | UnsetType = UNSET
    high: Finite | UnsetType = UNSET
    test_size: TestSize | UnsetType = UNSET
    majority: Majority | UnsetType = UNSET
    gain_over_majority: GainRow | UnsetType = UNSET

    def __post_init__(self):
        beside = (self.low, self.high, self.test_size, self.majority, self.gain_over_majority)
        if self.accuracy is not UNSET and UNSET in beside:
            raise ValueError("an accuracy has an interval, a majority and the gain over it beside it")
        if self.accuracy is UNSET and self.gain_over_majority is not UNSET:
            raise ValueError("a gain over the majority has an accuracy beside it")


class DomainResults(Struct):
    """Of domain-confusion."""

    arms: Annotated[dict[str, DomainArm], Meta(min_length=1)]
    confusion: str
    gain: GainRow | None = None
    gap_closed: Finite | None = None


class ClassShares(Struct):
    """Of the class whose share by the teacher differs most from that of the labels."""

    differ: bool
    teacher: Share
    labels: Share
    name: str = field(name="class")


class WithoutBaseline(Struct):
    """Of noisy-student."""

    off_topic: Share
    classes: TestSize
    class_shares: ClassShares
    student: ResultRow = field(name="noisy-student")


class WithBaseline(WithoutBaseline):
    gain: dict
    baseline: ResultRow = field(name="supervised, same compute")

    def __post_init__(self):
        check_gain(self.gain)
        if self.student.accuracy is not UNSET and self.baseline.accuracy is UNSET:
            raise ValueError("its baseline has no accuracy")


class Spectrum(Struct):
    std: float


class PretrainingResults(Struct):
    spectrum: Spectrum
    linear: Accuracy | UnsetType = field(default=UNSET, name="linear probe")
    random: Accuracy | UnsetType = field(default=UNSET, name="random trunk")
    best: BestLayer | UnsetType = field(default=UNSET, name="best layer")
    gain: GainRow | UnsetType = field(default=UNSET, name="gain over the random trunk")


FrameErrors = TypedDict("FrameErrors", {"squared error": float, "squared error of a copy": float, "ratio": float})
NextFrameResults = TypedDict(
    "NextFrameResults",
    {
        "next frame": FrameErrors,
        "test_size": Count,
        "linear probe": NotRequired[float],
        "random trunk": NotRequired[float],
    },
)


ProbedLayer = TypedDict(
    "ProbedLayer",
    {"layer": str, "linear": Share, "neighbours": Share, "random trunk": Share, "gain": GainRow},
)


class FineTuned(Struct):
    labels: Count
    share: Finite
    tuned: Accuracy
    scratch: Accuracy
    gain: GainRow


class Predicted(Struct):
    macro_f1: Share
    recall: dict[str, ClassRecall]
    majority: Majority


class ProbeResults(Struct):
    layers: Annotated[list[ProbedLayer], Meta(min_length=1)]
    fine_tuned: Annotated[list[FineTuned], Meta(min_length=1)] = field(name="fine-tuning")
    with_most: Predicted = field(name="fine-tuned with most")


class SavedLabels(Struct):
    method: str
    labels: Annotated[float, Meta(gt=0, le=1e30)]
    accuracy: Share
    low: Finite | None
    detectable: Finite | None
    verdict: Verdict
    labels_needed: Finite | None


class LabelsSavedResults(Struct):
    table: Annotated[list[SavedLabels], Meta(min_length=1)]
    majority: Share


ReturnSummary = TypedDict(
    "ReturnSummary", {"return": float, "low": float, "high": float, "best": float, "worst": float}
)
"""an interval of one episode is NaN"""


class PlayTime(Struct):
    hours: Amount
    human_return: float
    hours_to_human: Amount | None


class RewardResults(Struct):
    episodes: Count
    policy: ReturnSummary
    random: ReturnSummary
    gain: dict | None = None
    play_time: PlayTime | None = None

    def __post_init__(self):
        check_gain(self.gain)


class MatchSummary(Struct):
    opponent: str
    games: TestSize
    wins: Count
    draws: Count
    losses: Count
    share: Share
    low: Share
    high: Share


class Strength(Struct):
    simulations: Count
    measure: str
    share: Share
    low: Share
    high: Share


class GameResults(Struct):
    game: str
    simulations: Count
    matches: list[MatchSummary]
    strength: list[Strength]


class StageSummary(Struct):
    steps: float
    metres: float
    falls: Count
    mean_return: float = field(name="return")


class Stage(StageSummary):
    env_steps: Count


class LocomotionResults(Struct):
    stages: Annotated[list[Stage], Meta(min_length=1)]
    random: StageSummary
    episodes: Count


class TrialReturns(Struct):
    low: float
    high: float
    mean_return: float = field(name="return")


class RL2Results(Struct):
    rl2: TrialReturns
    tasks: Count


class DenseRow(Struct):
    accuracy: float
    mean_iou: float
    relative_error: float


class LocationErrors(TypedDict):
    """Of predicted positions, cm; `chance` and `near_chance` are those of saying the table's centre for all."""

    error: Amount
    median: Amount
    near: Share
    chance: Amount
    near_chance: Share
    test_size: TestSize
    low: NotRequired[Finite]
    high: NotRequired[Finite]
