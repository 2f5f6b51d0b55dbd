"""Atari games, many at once, by ale-py's own vector environment."""

from __future__ import annotations

import numpy as np

from caudex.errors import CaudexError
from caudex.names import nearest
from caudex.worlds.world import Outcome, World


class Atari(World):
    """`count` games ALE/NAME-v5: grey frames uint8 [1, 84, 84], the maximum of the last two of four for each action.

    As version 5 has it, an action is repeated by chance one time in four, and a game ends where it is over, not with a
    life (Machado et al. 2018, section 5). Rewards are the game's own. Raises CaudexError for an unknown game.
    """

    def __init__(self, name: str, count: int):
        known = games()
        if not known:
            raise CaudexError(f"{name} needs the package ale-py: pip install 'caudex[control]'.")
        if name not in known:
            raise CaudexError(f"{name!r} is no game of ale-py.{nearest(name, known)} `caudex list worlds` shows all.")
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.name, self.count = name, count
        self.games = ale_py.AtariVectorEnv(
            known[name], count, stack_num=1, autoreset_mode="SameStep", reward_clipping=False, noop_max=0,
            use_fire_reset=False, repeat_action_probability=0.25,
        )  # fmt: skip
        self.observation, self.action = self.games.single_observation_space, self.games.single_action_space
        self.held = None

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        options = {} if self.held is None else {"options": {"reset_mask": which}}
        found = self.games.reset(seed=(seeds % (1 << 31))[which if options else slice(None)], **options)[0]
        self.held = found if self.held is None else np.where(which[:, None, None, None], found, self.held)
        return self.held.copy()

    def step(self, actions: np.ndarray) -> Outcome:
        found, rewards, terminated, truncated, more = self.games.step(actions)
        over = terminated | truncated
        if over.any():  # it has begun anew by itself: what was seen last stands apart
            found = np.where(over[:, None, None, None], more["final_obs"].reshape(found.shape), found)
        self.held = found
        return Outcome(found.copy(), rewards.astype(float), terminated, truncated & ~terminated)

    def picture(self) -> np.ndarray:
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
