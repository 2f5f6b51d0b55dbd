"""What a fit has used so far: steps, seconds, FLOPs and samples."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.core.source import Source


class TrainingState:
    """Counts steps and their FLOPs; samples, and the FLOPs that sources spend to act, are asked of the sources."""

    def __init__(self, sources: Sequence[Source]):
        self.sources = sources
        self.step, self.seconds, self.step_flops, self.flops_per_step = 0, 0.0, 0.0, 0.0
        self.resumed_at = (0, 0.0)  # samples and seconds of earlier processes

    def count_step(self, flops: float | None) -> None:
        """One more step of so many FLOPs; None: of as many as the one that was measured last."""
        self.step += 1
        self.flops_per_step = self.flops_per_step if flops is None else flops
        self.step_flops += self.flops_per_step

    @property
    def flops(self) -> float:
        return self.step_flops + sum(source.flops for source in self.sources)

    @property
    def samples_seen(self) -> int:
        return sum(source.samples_seen for source in self.sources)

    @property
    def samples_per_second(self) -> float:
        """In this process."""
        samples, seconds = self.resumed_at
        return (self.samples_seen - samples) / max(self.seconds - seconds, 1e-9)

    @property
    def used(self) -> tuple[int, float, float, int]:
        """What a budget counts: steps, seconds, FLOPs, samples."""
        return self.step, self.seconds, self.flops, self.samples_seen

    @property
    def can_checkpoint(self) -> bool:
        return all(source.can_checkpoint for source in self.sources)

    def state_dict(self) -> dict:
        return {
            "flops": self.step_flops,
            "flops_per_step": self.flops_per_step,
            "seconds": self.seconds,
            "sources": [source.state_dict() for source in self.sources],
        }

    def load_state_dict(self, step: int, state: dict) -> None:
        self.step, self.step_flops, self.flops_per_step = step, state["flops"], state["flops_per_step"]
        self.seconds = state["seconds"]
        for source, saved in zip(self.sources, state["sources"], strict=True):
            source.load_state_dict(saved)
        self.resumed_at = self.samples_seen, self.seconds
