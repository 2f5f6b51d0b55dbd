"""Saves and loads all of a fit that must survive a kill."""

from __future__ import annotations

from typing import Any, TypedDict

from caudex.core.errors import CaudexError, short_message
from caudex.core.learner import Learner
from caudex.core.metrics_buffer import MetricsBuffer, raise_diverged
from caudex.core.run import Run
from caudex.core.training_state import TrainingState
from caudex.core.typed_json import Amount, Count, Share, check_kind
from caudex.core.weights import distinct_tensors, load_optimizer, load_weights


class FitState(TypedDict):
    """What a checkpoint has besides the weights."""

    flops: Amount
    flops_per_step: Amount
    seconds: Amount
    sources: list[dict[str, Any]]
    progress: Share
    pending: dict[str, list[tuple[int, float]]]
    metrics_sizes: dict[str, Count]
    optimizer: dict[str, Any]


class Checkpointer:
    """Learner, optimizer, counters, sources and unwritten metrics, in the checkpoints of a run; without one, nothing."""

    def __init__(self, learner: Learner, state: TrainingState, metrics: MetricsBuffer, run: Run | None):
        self.learner, self.state, self.metrics, self.run = learner, state, metrics, run
        self.saved_step, self.saved_seconds = 0, 0.0
        self.metrics_sizes: dict[str, int] = {}  # bytes that were written until the checkpoint that was loaded

    @property
    def is_due(self) -> bool:
        return self.run is not None and self.state.seconds - self.saved_seconds > self.run.hardware.save_seconds

    def save(self) -> None:
        """Raises CaudexError where a loss or a weight is not finite, and where the disk does not take it."""
        self.metrics.gather()
        self.saved_seconds = self.state.seconds
        if not all(weight.isfinite().all() for weight in self.learner.parameters()):
            raise_diverged("the weights are no longer finite numbers", self.state.step, self.learner, self.run)
        if not self.run or self.state.step == self.saved_step:
            return
        self.saved_step = self.state.step
        state = {
            **self.state.state_dict(),
            "progress": self.learner.progress,
            "pending": self.metrics.pending,
            "metrics_sizes": self.run.metrics_sizes(),
            "optimizer": self.learner.optimizer.state_dict(),
        }
        self.run.save_checkpoint(self.state.step, distinct_tensors(self.learner.state_dict()), state)

    def load(self) -> None:
        """The newest checkpoint, if there is one; raises CaudexError where it is of another training."""
        checkpoint = self.run.load_checkpoint() if self.run else None
        if checkpoint is None:
            return
        self.saved_step, weights, state = checkpoint
        load_weights(self.learner, weights)
        try:
            check_kind(state, FitState)
            load_optimizer(self.learner.optimizer, state["optimizer"])
            self.state.load_state_dict(self.saved_step, state)
        except (ValueError, IndexError, OverflowError, RuntimeError) as error:  # of arrays with other shapes
            raise CaudexError(
                f"checkpoint {self.run.checkpoints[-1]} does not fit this training ({short_message(error)}); delete that folder "
                "and train this part anew."
            ) from None
        self.saved_seconds = self.state.seconds
        self.learner.progress, self.metrics_sizes = state["progress"], state["metrics_sizes"]
        if self.run.is_main_process:
            self.metrics.pending = {name: [tuple(row) for row in rows] for name, rows in state["pending"].items()}
