"""Sources that act."""

from caudex.experience.actors import Actors
from caudex.experience.augmented import Viewed
from caudex.experience.frame_buffer import FrameBuffer
from caudex.experience.gae import Scale, gae
from caudex.experience.histories import Histories, History, Within
from caudex.experience.replay import Replay, Transition
from caudex.experience.rollouts import Rollout, Rollouts
from caudex.experience.runner import EnvRunner, StepResult
from caudex.experience.sum_tree import Priorities

__all__ = [
    "Actors", "EnvRunner", "FrameBuffer", "Histories", "History", "Priorities", "Replay", "Rollout", "Rollouts",
    "Scale", "StepResult", "Transition", "Viewed", "Within", "gae",
]  # fmt: skip
