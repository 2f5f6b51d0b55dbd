"""Sources that act."""

from caudex.experience.actors import Actors
from caudex.experience.augmented import Viewed
from caudex.experience.frame_buffer import Memory
from caudex.experience.gae import Scale, gae
from caudex.experience.histories import Histories, History, Within
from caudex.experience.replay import Replay, Transition
from caudex.experience.rollouts import Rollout, Rollouts
from caudex.experience.runner import Acting, Lived
from caudex.experience.sum_tree import Priorities

__all__ = [
    "Acting", "Actors", "Histories", "History", "Lived", "Memory", "Priorities", "Replay", "Rollout", "Rollouts", "Scale",
    "Transition", "Viewed", "Within", "gae",
]  # fmt: skip
