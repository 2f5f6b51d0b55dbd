"""The contract of a board game: B games of two players at once, in numpy arrays.

A position is a NamedTuple of arrays [B, ...], a row for each game. Methods return new positions and change none in place, so that a
search can keep a position for each node and step all games together. docs/own-game.md has a complete game.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean

Position = Any
"""a NamedTuple of arrays [B, ...]"""


class Symmetry(NamedTuple):
    """A way to turn or mirror the board that leaves the game the same."""

    transform: Callable[[np.ndarray], np.ndarray]  # planes [B, C, H, W] to the planes of the transformed positions
    actions: np.ndarray  # int64 [A]: action a becomes action actions[a] of the transformed position


class Game:
    """A two-player, zero-sum game without chance and hidden information. Player 0 begins; players need not alternate.

    Only legal actions may be applied. A finished game has no legal action, and its player to move is the opponent of who moved last.
    """

    name: str
    num_actions: int
    """A"""
    shape: tuple[int, int, int]
    """[C, H, W] of the planes"""
    max_moves: int
    """no game has more moves than that"""

    def initial(self, batch: int) -> Position:
        """`batch` games before their first move."""
        raise NotImplementedError

    def legal(self, positions: Position) -> np.ndarray:
        """bool [B, A]: at least one where a game is not over, none where it is."""
        raise NotImplementedError

    def apply(self, positions: Position, actions: np.ndarray) -> Position:
        """The positions after int64 [B] `actions`; finished games are unchanged."""
        raise NotImplementedError

    def outcome(self, positions: Position) -> tuple[np.ndarray, np.ndarray]:
        """is_over bool [B], and float32 [B] the value for the player to move, in -1..1, 0 where the game is not over; the
        opponent's value is its negative."""
        raise NotImplementedError

    def planes(self, positions: Position) -> np.ndarray:
        """uint8 or float32 [B, C, H, W]: the board as the player to move sees it."""
        raise NotImplementedError

    def to_play(self, positions: Position) -> np.ndarray:
        """int64 [B]: the player to move, 0 or 1."""
        raise NotImplementedError

    def symmetries(self) -> list[Symmetry]:
        """All that map games onto games; the identity is the first."""
        return [Symmetry(lambda planes: planes, np.arange(self.num_actions))]

    def ownership(self, positions: Position) -> np.ndarray | None:
        """int8 [B, H, W] of games that are over: 1 where player 0 owns a point, -1 where player 1 does; None: the game has no such."""
        return None

    def describe(self, positions: Position, row: int) -> str:
        """The board as text, for a terminal."""
        return str(self.planes(positions)[row])

    def action_name(self, positions: Position, row: int, action: int) -> str:
        """How a player would write the action."""
        return str(action)

    def parse_action(self, positions: Position, row: int, text: str) -> int:
        """The legal action that a player wrote. Raises CaudexError where no legal action has that name."""
        legal = np.flatnonzero(self.legal(positions)[row]).tolist()
        names = {self.action_name(positions, row, action): action for action in legal}
        name = text.strip()
        matches = [name] if name in names else [other for other in names if other.lower() == name.lower()]
        if len(matches) != 1:
            suggestion, some = did_you_mean(name, names), ", ".join([*names][:20]) + ", ..." * (len(names) > 20)
            raise CaudexError(f"{text!r} is not a legal move.{suggestion} Legal: {some or 'none, the game is over'}.")
        return names[matches[0]]


def select(positions: Position, rows: Any) -> Position:
    """The games of these rows, an index or a mask."""
    return type(positions)(*(array[rows] for array in positions))


def where(mask: np.ndarray, positions: Position, others: Position) -> Position:
    """`positions` in the rows of bool [B] `mask`, `others` elsewhere."""
    rows = (np.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old) for new, old in zip(positions, others))
    return type(positions)(*rows)


def turn(planes: np.ndarray, quarters: int, mirror: bool = False) -> np.ndarray:
    """Arrays [..., H, W] turned by that many quarters, then mirrored left to right."""
    turned = np.rot90(planes, quarters, (-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if mirror else turned)


DIHEDRAL = tuple((quarters, mirror) for mirror in (False, True) for quarters in range(4))
"""the eight symmetries of a square, as arguments of `turn`"""


def board_symmetries(
    board: np.ndarray, num_actions: int, turns: Sequence[tuple[int, bool]] = DIHEDRAL
) -> list[Symmetry]:
    """Symmetries of a game whose actions int64 [H, W] are places of the `board`; further actions, as a pass, stay themselves."""
    symmetries = []
    for quarters, mirror in turns:
        actions = np.arange(num_actions)
        actions[turn(board, quarters, mirror)] = board
        symmetries.append(Symmetry(lambda planes, turned=(quarters, mirror): turn(planes, *turned), actions))
    return symmetries
