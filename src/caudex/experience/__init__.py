"""Sources that act."""

from caudex.experience.actors import Actors
from caudex.experience.augmented import AugmentedSource
from caudex.experience.episodes import (
    Episode,
    Frame,
    episode_returns,
    make_random_policy,
    play_episodes,
    random_returns,
    record_episode,
)
from caudex.experience.frame_buffer import FrameBuffer
from caudex.experience.gae import gae
from caudex.experience.histories import Histories, History, StatefulTrunk
from caudex.experience.recording import Recording
from caudex.experience.replay import ReplaySource, Transition
from caudex.experience.reward_normalizer import RewardNormalizer
from caudex.experience.rollouts import Rollout, Rollouts
from caudex.experience.runner import EnvRunner, StepResult
from caudex.experience.sum_tree import SumTree

__all__ = [
    "Actors",
    "AugmentedSource",
    "EnvRunner",
    "Episode",
    "Frame",
    "FrameBuffer",
    "Histories",
    "History",
    "Recording",
    "ReplaySource",
    "RewardNormalizer",
    "Rollout",
    "Rollouts",
    "StatefulTrunk",
    "StepResult",
    "SumTree",
    "Transition",
    "episode_returns",
    "gae",
    "make_random_policy",
    "play_episodes",
    "random_returns",
    "record_episode",
]  # fmt: skip
