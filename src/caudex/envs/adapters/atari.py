"""Atari games, many at once, by ale-py's own vector environment."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.env import Env, Outcome


class Atari(Env):
    """`count` games ALE/NAME-v5 or -v4: grey frames uint8 [1, 84, 84], the maximum of the last two of four for each action.

    v5 (Machado et al. 2018, section 5): an action is repeated by chance one time in four. v4 (Mnih et al. 2015): nothing
    happens by chance, but up to 30 actions that do nothing begin a game, and who learns takes a lost life for its end.
    Both have the actions that the game knows, and play until it is over; to be compared for five minutes at most (Mnih et
    al. 2015, table 2), as one who waits may never end. Rewards are the game's own, for those who learn cut to -1 and 1, as
    published. Raises CaudexError for an unknown game.
    """

    cut, longest, rate = 1.0, 4500, 15  # of sixty frames a second every fourth

    def __init__(self, name: str, count: int):
        known, newest = games(), name.removesuffix("-v4") + "-v5" * name.endswith("-v4")
        if not known:
            raise CaudexError(f"{name} needs the package ale-py: pip install 'caudex[control]'.")
        if newest not in known:
            raise CaudexError(
                f"{name!r} is no game of ale-py.{did_you_mean(name, known)} `caudex list envs` shows all."
            )
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.name, self.count, self.old = name, count, name.endswith("-v4")
        self.games = ale_py.AtariVectorEnv(
            known[newest], count, stack_num=1, autoreset_mode="SameStep", reward_clipping=False,
            noop_max=30 if self.old else 0, use_fire_reset=False, repeat_action_probability=0.0 if self.old else 0.25,
        )  # fmt: skip
        self.observation, self.action = self.games.single_observation_space, self.games.single_action_space
        self.held, self.lives = None, np.zeros(count, np.int32)

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        options = {} if self.held is None else {"options": {"reset_mask": which}}
        found, about = self.games.reset(seed=(seeds % (1 << 31))[which if options else slice(None)], **options)
        self.held = found if self.held is None else np.where(which[:, None, None, None], found, self.held)
        self.lives = np.where(which, about["lives"], self.lives)
        return self.held.copy()

    def step(self, actions: np.ndarray) -> Outcome:
        found, rewards, terminated, truncated, more = self.games.step(actions)
        over = terminated | truncated
        if over.any():  # it has begun anew by itself: what was seen last stands apart
            found = np.where(over[:, None, None, None], more["final_obs"].reshape(found.shape), found)
        self.held = found
        lost, self.lives = ~over & (more["lives"] < self.lives), more["lives"].copy()
        return Outcome(
            found.copy(), rewards.astype(float), terminated, truncated & ~terminated, lost if self.old else None
        )

    def image(self) -> np.ndarray:
        return np.repeat(self.held[0].transpose(1, 2, 0), 3, 2)

    def close(self) -> None:
        self.games.close()


def games() -> dict[str, str]:
    """ALE/NAME-v5 to the name of its file; nothing where ale-py is not installed."""
    try:
        from ale_py import roms
    except ImportError:
        return {}
    return {f"ALE/{''.join(part.capitalize() for part in rom.split('_'))}-v5": rom for rom in roms.get_all_rom_ids()}
