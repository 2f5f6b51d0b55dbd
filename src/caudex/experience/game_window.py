"""The last positions of finished games, as batches."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor

from caudex.core.hardware import check_memory
from caudex.core.typed_json import Count, check_kind
from caudex.envs.boards.game import Game


class FinishedGame(NamedTuple):
    """The T positions of a game from its first move that was searched for, as its players saw them."""

    planes: np.ndarray  # [T, C, H, W]
    legal: np.ndarray  # bool [T, A]
    policy: np.ndarray  # float32 [T, A], of the search
    value: np.ndarray  # float32 [T], the target for the player to move
    ownership: np.ndarray  # int8 [T, H, W], of the player to move; zeros where the game has no such
    outcome: float  # for player 0


class GameBatch(NamedTuple):
    """B positions of finished games, each as one of the game's symmetries shows it; the planes stand first."""

    planes: Tensor  # [B, C, H, W]
    policy: Tensor  # float32 [B, A], of the search
    value: Tensor  # float32 [B], for the player to move
    legal: Tensor  # bool [B, A]
    next_policy: Tensor  # float32 [B, A], of the search in the next position; zeros at the end of a game
    moves_left: Tensor  # float32 [B]
    ownership: Tensor  # int8 [B, H, W], of the player to move


class WindowState(TypedDict):
    count: Count
    arrays: list[Tensor]


class GameWindow:
    """The last positions, at most `size`, of which the later half of all that came are sampled: early games are forgotten soon.

    Raises CaudexError where the memory does not hold it.
    """

    def __init__(self, game: Game, size: int):
        channels, height, width = game.shape
        dtype = game.planes(game.initial(1)).dtype
        num_bytes = np.prod(game.shape) * dtype.itemsize + 5 * game.num_actions + 6 + height * width
        check_memory("--window", size, float(size * num_bytes))
        self.size, self.count, self.symmetries = size, 0, game.symmetries()
        self.planes = np.zeros((size, channels, height, width), dtype)
        self.legal = np.zeros((size, game.num_actions), bool)
        self.policy = np.zeros((size, game.num_actions), np.float32)
        self.value = np.zeros(size, np.float32)
        self.ownership = np.zeros((size, height, width), np.int8)
        self.moves_left = np.zeros(size, np.int16)
        self.arrays = [self.planes, self.legal, self.policy, self.value, self.ownership, self.moves_left]

    def add(self, game: FinishedGame) -> None:
        moves_left = np.arange(len(game.value), 0, -1)
        rows = (self.count + np.arange(len(game.value))) % self.size
        for array, part in zip(self.arrays, (*game[:-1], moves_left)):
            array[rows] = part
        self.count += len(game.value)

    @property
    def num_sampled(self) -> int:
        """Positions that are sampled from, the last."""
        return min(self.size, (self.count + 1) // 2)

    def sample(self, batch: int, rng: np.random.Generator) -> GameBatch:
        """Uniformly, with replacement."""
        rows = (self.count - 1 - rng.integers(0, self.num_sampled, batch)) % self.size
        planes, legal, policy, value, ownership, moves_left = (array[rows] for array in self.arrays)
        has_next = (moves_left > 1)[:, None]
        next_policy = np.where(has_next, self.policy[(rows + 1) % self.size], np.float32(0))
        drawn = rng.integers(0, len(self.symmetries), batch)
        for number, (transform, actions) in enumerate(self.symmetries[1:], 1):
            chosen = drawn == number
            planes[chosen] = transform(planes[chosen])
            ownership[chosen] = transform(ownership[chosen, None])[:, 0]
            for array in (legal, policy, next_policy):
                transformed = np.empty_like(array[chosen])
                transformed[:, actions] = array[chosen]
                array[chosen] = transformed
        arrays = planes, policy, value, legal, next_policy, moves_left.astype(np.float32), ownership
        return GameBatch(*map(torch.from_numpy, arrays))

    def state_dict(self) -> dict:
        filled = min(self.count, self.size)
        return {"count": self.count, "arrays": [torch.from_numpy(array[:filled].copy()) for array in self.arrays]}

    def load_state_dict(self, state: dict) -> None:
        """Raises ValueError for arrays of another game or size."""
        check_kind(state, WindowState)
        filled = min(state["count"], self.size)
        if len(state["arrays"]) != len(self.arrays):
            raise ValueError(f"a window of {len(state['arrays'])} arrays")
        for array, saved in zip(self.arrays, state["arrays"]):
            saved = saved.numpy()
            if saved.shape != (filled, *array.shape[1:]) or saved.dtype != array.dtype:
                raise ValueError(f"positions {saved.shape} of {saved.dtype}, not {array.shape} of {array.dtype}")
            array[:filled] = saved
        self.count = state["count"]
