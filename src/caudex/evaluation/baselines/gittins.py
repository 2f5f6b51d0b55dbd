"""Gittins indices of a finite horizon: the most that an arm earns per pull, if one may stop pulling it at any time."""

from __future__ import annotations

import contextlib
import io
from functools import cache

import numpy as np

from caudex.core import disk
from caudex.core.fetch import cache_folder
from caudex.evaluation.baselines.bandits import BanditRule

GRID = 64
CACHED_FROM = 150
"""pulls from which the indices are cached on disk: for 500 they take half a minute and 42 MB"""


def gittins_rule(pulls: int) -> BanditRule:
    """The arm with the highest index for the pulls that are left (Gittins 1979; Lattimore 2016 for a finite horizon).

    Best for a discount and no end; with an end it is not quite the optimum, but very near.
    """
    table, starts = gittins_indices(pulls)

    def rule(wins, losses, rng):
        pulled = (wins + losses).astype(np.int64)
        pulls_left = pulls - pulled.sum(1, keepdims=True)
        return table[starts[pulls_left] + pulled * (pulled + 1) // 2 + wins.astype(np.int64)]

    return rule


@cache
def gittins_indices(pulls: int) -> tuple[np.ndarray, np.ndarray]:
    """(uint16 indices in 1/65535, where those for so many pulls left begin); from there the index of an arm that was pulled t
    times and paid s times stands at t (t + 1) / 2 + s."""
    sizes = [(pulls - pulls_left + 1) * (pulls - pulls_left + 2) // 2 for pulls_left in range(1, pulls + 1)]
    starts = np.cumsum([0, 0, *sizes[:-1]])
    file = cache_folder() / "gittins" / f"{pulls}-{GRID}.npy"
    if pulls >= CACHED_FROM and file.is_file():
        table = np.load(file)
        if table.shape == (sum(sizes),):
            return table, starts
    table = np.concatenate([np.rint(65535 * part).astype(np.uint16) for part in compute_indices(pulls)])
    if pulls >= CACHED_FROM:
        content = io.BytesIO()
        np.save(content, table)
        with contextlib.suppress(OSError):  # they can be computed again
            disk.write_atomically(file, content.getvalue())
    return table, starts


def compute_indices(pulls: int):
    """The indices for 1, 2, ... pulls left, float32 [states] each.

    For a sure pay in steps of 1 / GRID, the value of an arm that one may leave for it, by dynamic programming; the index is
    the sure pay at which pulling once more and leaving have the same value, interpolated linearly between two steps.
    """
    pulls_of_state = np.repeat(np.arange(pulls), np.arange(1, pulls + 1))  # in the order of the table
    wins = np.arange(len(pulls_of_state)) - pulls_of_state * (pulls_of_state + 1) // 2
    win_probability = ((wins + 1) / (pulls_of_state + 2)).astype(np.float32)[:, None]
    after_loss = (
        np.arange(len(pulls_of_state)) + pulls_of_state + 1
    )  # the state after a failure; that after a success is the next
    sure_pay = np.linspace(0, 1, GRID + 1, dtype=np.float32)
    values = np.zeros(((pulls + 1) * (pulls + 2) // 2, GRID + 1), np.float32)
    for pulls_left in range(1, pulls + 1):
        states = (pulls - pulls_left + 1) * (pulls - pulls_left + 2) // 2
        pull, fail = values[after_loss[:states] + 1], values[after_loss[:states]]
        pull += 1 - fail
        pull *= win_probability[:states]
        pull += fail
        gain = pull - pulls_left * sure_pay
        last = ((gain > 0).sum(1) - 1).clip(0, GRID - 1)  # the highest sure pay at which pulling is better
        above, below = gain[np.arange(states), last], gain[np.arange(states), last + 1]
        yield (last + above / (above - below)) / GRID
        values = np.maximum(pull, pulls_left * sure_pay)
