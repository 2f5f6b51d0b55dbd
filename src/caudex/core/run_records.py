"""What stands in the JSON files that every run has, with the limits that keep a stranger's run from doing harm."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from caudex.core.typed_json import Amount, Count, Finite, Sha256


class Settings(Struct, forbid_unknown_fields=True):
    """settings.json"""

    format: int
    system: str
    settings: dict[str, Any]


class ComputeReport(Struct):
    """compute.json"""

    flops: Amount
    seconds: Amount
    petaflop_s_days: Amount = 0.0
    price_per_hour: Amount = 0.0
    cost: Amount = 0.0


class Finished(Struct):
    """finished.json of a run, with the hash of model.safetensors; of a stage, with its last step."""

    model: Sha256 | None = None
    step: Count = 0
    flops: Amount = 0.0
    seconds: Amount = 0.0


class TrainingDescription(Struct):
    """about.json of a stage, as far as it is read again."""

    chance_loss: dict[str, Finite | None] = {}


class CheckpointHashes(Struct):
    state: Sha256
    weights: Sha256
    optimizer: Sha256


class CheckpointHeader(Struct):
    """state.json of a checkpoint; `state` is JSON in itself, whose tensors are in optimizer.safetensors."""

    step: Count
    hashes: CheckpointHashes
    state: str
