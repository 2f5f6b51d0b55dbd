"""Gittins indices of a finite horizon: what an arm is worth at most per pull, if one may stop pulling it at any time."""

from __future__ import annotations

import contextlib
import io
from functools import cache

import numpy as np

from caudex.core import disk
from caudex.core.fetch import cache_folder
from caudex.evaluation.baselines.bandits import Rule

GRID = 64
LONG = 150
"""pulls from which the indices are kept on disk: for 500 they take half a minute and 42 MB"""


def gittins(pulls: int) -> Rule:
    """The arm with the highest index for the pulls that are left (Gittins 1979; Lattimore 2016 for a finite horizon).

    Best for a discount and no end; with an end it is not quite the optimum, but very near.
    """
    table, starts = indices(pulls)

    def rule(wins, losses, chance):
        pulled = (wins + losses).astype(np.int64)
        left = pulls - pulled.sum(1, keepdims=True)
        return table[starts[left] + pulled * (pulled + 1) // 2 + wins.astype(np.int64)]

    return rule


@cache
def indices(pulls: int) -> tuple[np.ndarray, np.ndarray]:
    """(uint16 indices in 1/65535, where those for `left` more pulls begin); behind that the index of an arm that was pulled t
    times and paid s times stands at t (t + 1) / 2 + s."""
    sizes = [(pulls - left + 1) * (pulls - left + 2) // 2 for left in range(1, pulls + 1)]
    starts = np.cumsum([0, 0, *sizes[:-1]])
    kept = cache_folder() / "gittins" / f"{pulls}-{GRID}.npy"
    if pulls >= LONG and kept.is_file():
        table = np.load(kept)
        if table.shape == (sum(sizes),):
            return table, starts
    table = np.concatenate([np.rint(65535 * part).astype(np.uint16) for part in calibrated(pulls)])
    if pulls >= LONG:
        content = io.BytesIO()
        np.save(content, table)
        with contextlib.suppress(OSError):  # they can be computed again
            disk.write_atomically(kept, content.getvalue())
    return table, starts


def calibrated(pulls: int):
    """The indices for 1, 2, ... pulls left, float32 [states] each.

    For sure pay in steps of 1 / GRID, the worth of an arm that one may leave for it, by dynamic programming; the index is
    the pay at which pulling once more and leaving are worth the same, on a straight line between two steps.
    """
    tries = np.repeat(np.arange(pulls), np.arange(1, pulls + 1))  # of the states, as they stand in the table
    paid = np.arange(len(tries)) - tries * (tries + 1) // 2
    chance = ((paid + 1) / (tries + 2)).astype(np.float32)[:, None]
    failed = np.arange(len(tries)) + tries + 1  # the state after a failure; that after a success is the next
    pay = np.linspace(0, 1, GRID + 1, dtype=np.float32)
    worth = np.zeros(((pulls + 1) * (pulls + 2) // 2, GRID + 1), np.float32)
    for left in range(1, pulls + 1):
        states = (pulls - left + 1) * (pulls - left + 2) // 2
        pull, fail = worth[failed[:states] + 1], worth[failed[:states]]
        pull += 1 - fail
        pull *= chance[:states]
        pull += fail
        gain = pull - left * pay
        last = ((gain > 0).sum(1) - 1).clip(0, GRID - 1)  # the highest pay at which one pulls
        more, less = gain[np.arange(states), last], gain[np.arange(states), last + 1]
        yield (last + more / (more - less)) / GRID
        worth = np.maximum(pull, left * pay)
