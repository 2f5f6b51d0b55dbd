"""Reference returns: of the random policy, and of what counts as good."""

from __future__ import annotations

from typing import NamedTuple


class ReferenceScores(NamedTuple):
    random: float | None  # None: measured in the same run
    target: float
    target_name: str  # in words


ATARI_SCORES = {
    "Alien": (227.8, 7127.7),
    "Amidar": (5.8, 1719.5),
    "Assault": (222.4, 742.0),
    "Asterix": (210.0, 8503.3),
    "BankHeist": (14.2, 753.1),
    "BattleZone": (2360.0, 37187.5),
    "Boxing": (0.1, 12.1),
    "Breakout": (1.7, 30.5),
    "ChopperCommand": (811.0, 7387.8),
    "CrazyClimber": (10780.5, 35829.4),
    "DemonAttack": (152.1, 1971.0),
    "Freeway": (0.0, 29.6),
    "Frostbite": (65.2, 4334.7),
    "Gopher": (257.6, 2412.5),
    "Hero": (1027.0, 30826.4),
    "Jamesbond": (29.0, 302.8),
    "Kangaroo": (52.0, 3035.0),
    "Krull": (1598.0, 2665.5),
    "KungFuMaster": (258.5, 22736.3),
    "MsPacman": (307.3, 6951.6),
    "Pong": (-20.7, 14.6),
    "PrivateEye": (24.9, 69571.3),
    "Qbert": (163.9, 13455.0),
    "RoadRunner": (11.5, 7845.0),
    "Seaquest": (68.4, 42054.7),
    "UpNDown": (533.4, 11693.2),
}
"""(random, human) of the 26 games of Atari 100k, from Laskin et al. 2020 (CURL), table 2"""


def reference_scores(env: str) -> ReferenceScores | None:
    """Of an environment by its name; None where nobody has published a target.

    Atari: what is published. Our own tasks last 200 steps of at most 1, those of dm_control 1,000. Else what Gymnasium
    calls solved.
    """
    kind, _, task = env.partition("/")
    game = task.rpartition("-")[0]
    if kind == "ALE":
        return ReferenceScores(*ATARI_SCORES[game], "a human, as published") if game in ATARI_SCORES else None
    if kind in ("control", "pixels"):
        return ReferenceScores(None, 200.0, "the most there is")
    if kind in ("dm_control", "dm_pixels"):
        return ReferenceScores(None, 1000.0, "the most there is")
    import gymnasium

    spec = gymnasium.registry.get(env.rpartition(":")[2])
    solved = spec and spec.reward_threshold
    return ReferenceScores(None, float(solved), "what Gymnasium calls solved") if solved is not None else None
