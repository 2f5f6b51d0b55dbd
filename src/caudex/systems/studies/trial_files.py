"""What advise keeps in its run folder, so that advice that was stopped goes on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.typed_json import Count, Sha256

Predictor = Callable[[Tensor, Tensor, int], Tensor]
"""(rows to learn from, rows to predict, seed) to the classes of these rows, int64; rows are of the labelled examples"""


class AdviceRecord(Struct):
    """advice.json: what all trials follow from."""

    flags: dict[str, Any]
    examples: Sha256


def record_advice(run: Run, flags: Mapping[str, Any], examples: str) -> None:
    """Write advice.json, or check that this is what the run was begun with. Raises CaudexError where it is not."""
    record = AdviceRecord(dict(flags), examples)
    earlier = run.read_struct("advice", AdviceRecord)
    if earlier is None:
        run.write_struct("advice", record)
    elif earlier != record:
        names = [f"--{name}" for name in record.flags if record.flags[name] != earlier.flags.get(name)]
        raise CaudexError(
            f"{run.path} was begun with other {', '.join(names) or 'examples or labels'}; give another --run, or delete it."
        )


def remember_predictions(run: Run, name: str, predict: Predictor, num_classes: int) -> Predictor:
    """The same predictor, whose answers are kept as trials/NAME-SEED.json and read from there; CaudexError where one is damaged."""

    def predict_once(train: Tensor, test: Tensor, seed: int) -> Tensor:
        file = f"trials/{re.sub('[^a-zA-Z]+', '-', name)}-{seed}"
        predictions = run.read_struct(file, list[Count])
        if predictions is None:
            predictions = predict(train, test, seed).tolist()
            run.write_json(file, predictions)
        if len(predictions) != len(test) or max(predictions) >= num_classes:
            raise CaudexError(f"{run.path / file}.json is damaged; delete it, and it is measured again.")
        return torch.tensor(predictions)

    return predict_once


def digest_examples(inputs: Iterable[bytes], labels: Tensor) -> str:
    """Of all examples and their labels, -1 where there is none."""
    digest = hashlib.sha256(labels.numpy().tobytes())
    for part in inputs:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
