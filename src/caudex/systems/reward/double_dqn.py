"""double-dqn: the online network selects the next action, the target network evaluates it."""

from __future__ import annotations

from dataclasses import dataclass

from caudex.systems.reward.dqn import DQN


@dataclass
class DoubleDQN(DQN):
    """An environment with a few actions: Q-learning that does not think too well of what it chooses (van Hasselt et al. 2016).

    The action that comes after is chosen by the network itself, and the slow copy tells its worth.
    """

    double: bool = True
