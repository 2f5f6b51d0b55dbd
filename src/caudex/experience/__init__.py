"""Sources that act."""

from caudex.experience.acting import Acting, Lived
from caudex.experience.actors import Actors
from caudex.experience.histories import Histories, History, Within
from caudex.experience.memory import Memory
from caudex.experience.priorities import Priorities
from caudex.experience.replay import Replay, Transition
from caudex.experience.returns import Scale, gae
from caudex.experience.rollouts import Rollout, Rollouts
from caudex.experience.viewed import Viewed

__all__ = [
    "Acting", "Actors", "Histories", "History", "Lived", "Memory", "Priorities", "Replay", "Rollout", "Rollouts", "Scale",
    "Transition", "Viewed", "Within", "gae",
]  # fmt: skip
