"""double-dqn: the online network selects the next action, the target network evaluates it."""

from __future__ import annotations

from dataclasses import dataclass

from caudex.systems.reward.dqn import DQN


@dataclass
class DoubleDQN(DQN):
    """An environment with a few actions: Q-learning without overestimation (van Hasselt et al. 2016).

    The online network selects the next action; the target network evaluates it.
    """

    double: bool = True
