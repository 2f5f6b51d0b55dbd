"""The games of OpenSpiel, each position a state of its own, stepped in a loop."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import chess
import numpy as np
import pyspiel
from pyspiel import GameType

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.boards.game import Game, Symmetry, board_symmetries

REQUIREMENTS = (
    (lambda kind: kind.min_num_players <= 2 <= kind.max_num_players, "it is not for two players"),
    (lambda kind: kind.dynamics == GameType.Dynamics.SEQUENTIAL, "its players move at the same time"),
    (lambda kind: kind.chance_mode == GameType.ChanceMode.DETERMINISTIC, "it has chance"),
    (lambda kind: kind.information == GameType.Information.PERFECT_INFORMATION, "it hides information"),
    (lambda kind: kind.utility == GameType.Utility.ZERO_SUM, "its values do not sum to zero"),
    (lambda kind: kind.reward_model == GameType.RewardModel.TERMINAL, "it gives rewards before the end"),
    (lambda kind: kind.provides_observation_tensor, "it has no tensor of observations"),
)
"""what OpenSpiel's GameType must fulfil, and the sentence where it does not"""

HALF_TURNS = ((0, False), (2, False))
DIAGONALS = ((1, True), (3, True))
TURNS = {
    "tic_tac_toe": None,  # all eight
    # quarter turns and plain mirrors swap the colours of the first four stones: such positions never come up
    "othello": HALF_TURNS + DIAGONALS,
    "hex": HALF_TURNS,
}
"""symmetries of OpenSpiel's square boards whose action is a place, row by row"""


class OpenSpielPosition(NamedTuple):
    states: np.ndarray  # object [B], of pyspiel.State; none is changed once it is here


class OpenSpielGame(Game):
    """A game of OpenSpiel (Lanctot et al. 2019) with these parameters, its values divided by the highest.

    Planes are the stones of the player to move, then the opponent's, for the games of `VIEWS`, else OpenSpiel's tensor float32 with a
    last plane that says who is to move. Raises CaudexError for an unknown name or parameter, and for a game with chance, hidden
    information, simultaneous moves, values that do not sum to zero or other than two players.
    """

    def __init__(self, short_name: str, name: str = "", /, **parameters: Any):
        self.name = name or f"open_spiel:{short_name}"
        self.game = load_game(self.name, short_name, parameters)
        self.short_name, self.first = short_name, self.game.new_initial_state().current_player()  # White is 1 in chess
        self.num_actions, self.max_moves = self.game.num_distinct_actions(), self.game.max_game_length()
        self.highest = max(self.game.max_utility(), -self.game.min_utility())
        shape = tuple(self.game.observation_tensor_shape())
        self.tensor_shape = shape if len(shape) == 3 else (1, *shape) if len(shape) == 2 else (math.prod(shape), 1, 1)
        self.view, self.dtype = VIEWS.get(short_name, (with_player, np.float32))
        self.shape = self.planes(self.initial(1)).shape[1:]

    def initial(self, batch: int) -> OpenSpielPosition:
        return OpenSpielPosition(object_array([self.game.new_initial_state() for _ in range(batch)]))

    def legal(self, positions: OpenSpielPosition) -> np.ndarray:
        legal = np.zeros((len(positions.states), self.num_actions), bool)
        for row, state in zip(legal, positions.states):
            row[state.legal_actions()] = True
        return legal

    def apply(self, positions: OpenSpielPosition, actions: np.ndarray) -> OpenSpielPosition:
        pairs = zip(positions.states, np.asarray(actions).tolist())
        return OpenSpielPosition(object_array([s if s.is_terminal() else s.child(action) for s, action in pairs]))

    def outcome(self, positions: OpenSpielPosition) -> tuple[np.ndarray, np.ndarray]:
        is_over = np.array([state.is_terminal() for state in positions.states], bool)
        values = [s.player_return(player_of(s)) if over else 0 for s, over in zip(positions.states, is_over)]
        return is_over, np.array(values, np.float32) / np.float32(self.highest)

    def planes(self, positions: OpenSpielPosition) -> np.ndarray:
        planes = []
        for state in positions.states:
            player = player_of(state)
            tensor = np.array(state.observation_tensor(player), np.float32).reshape(self.tensor_shape)
            planes.append(self.view(tensor, player))
        return np.stack(planes).astype(self.dtype, copy=False) if planes else np.empty((0, *self.shape), self.dtype)

    def to_play(self, positions: OpenSpielPosition) -> np.ndarray:
        return np.array([player_of(state) ^ self.first for state in positions.states], np.int64)

    def symmetries(self) -> list[Symmetry]:
        if self.short_name not in TURNS:
            return super().symmetries()
        rows, columns = self.shape[1:]
        turns = (TURNS[self.short_name],) if TURNS[self.short_name] else ()
        return board_symmetries(np.arange(rows * columns).reshape(rows, columns), self.num_actions, *turns)

    def describe(self, positions: OpenSpielPosition, row: int) -> str:
        """As OpenSpiel draws it; the squares of chess, Hex and tic-tac-toe have names beside them."""
        state = positions.states[row]
        return DRAWINGS.get(self.short_name, str)(state)

    def action_name(self, positions: OpenSpielPosition, row: int, action: int) -> str:
        """As OpenSpiel writes it; in chess by the squares (UCI), as e2e4 and e7e8q, in tic-tac-toe from a1, the top left, to c3."""
        state = positions.states[row]
        if self.short_name == "tic_tac_toe":
            return f"{'abc'[action % 3]}{action // 3 + 1}"
        name = state.action_to_string(player_of(state), action)
        return chess.Board(str(state)).parse_san(name).uci() if self.short_name == "chess" else name

    def fen(self, positions: OpenSpielPosition, row: int) -> str:
        """Of chess: the position in Forsyth-Edwards notation."""
        return str(positions.states[row])

    def parse_action(self, positions: OpenSpielPosition, row: int, text: str) -> int:
        """In chess also as Nf3 and exd8=Q."""
        if self.short_name == "chess":
            with contextlib.suppress(ValueError):
                text = chess.Board(str(positions.states[row])).parse_san(text.strip()).uci()
        return super().parse_action(positions, row, text)


def load_game(name: str, short_name: str, parameters: dict[str, Any]) -> Any:
    """The pyspiel.Game; what it is is asked before it is made."""
    kinds = {kind.short_name: kind for kind in pyspiel.registered_games()}
    if short_name not in kinds:
        raise CaudexError(
            f"{name}: OpenSpiel has no game {short_name!r}.{did_you_mean(short_name, open_spiel_names())}"
        )
    if faults := [fault for is_met, fault in REQUIREMENTS if not is_met(kinds[short_name])]:
        raise CaudexError(
            f"{name} cannot be played here: {', '.join(faults)}. `caudex list games` shows the games that can."
        )
    try:
        game = pyspiel.load_game(short_name, parameters)
    except (pyspiel.SpielError, TypeError) as error:
        raise CaudexError(f"{name} cannot be made: {str(error).strip().rstrip('.')}.") from None
    if game.num_players() != 2:
        raise CaudexError(f"{name} is made for {game.num_players()} players; games here have two.")
    return game


def open_spiel_names() -> list[str]:
    """The games of OpenSpiel that can be played here."""
    kinds = pyspiel.registered_games()
    return sorted(kind.short_name for kind in kinds if all(is_met(kind) for is_met, _ in REQUIREMENTS))


def player_of(state: Any) -> int:
    """The player to move; of a finished game, the opponent of who moved last."""
    return 1 - state.full_history()[-1].player if state.is_terminal() else state.current_player()


def object_array(states: list) -> np.ndarray:
    array = np.empty(len(states), object)
    array[:] = states
    return array


def with_names(lines: list[str]) -> str:
    """Rows of a board with their numbers from the top, and letters of the columns above."""
    columns = len(lines[0].split())
    letters = " ".join(chr(ord("a") + column) for column in range(columns))
    return "\n".join(["   " + letters, *(f"{number:2} {line}" for number, line in enumerate(lines, 1))])


def draw_tic_tac_toe(state: Any) -> str:
    return with_names([" ".join(line) for line in str(state).split()])


def draw_hex(state: Any) -> str:
    return with_names([line.rstrip() for line in str(state).rstrip().split("\n")])


def draw_chess(state: Any) -> str:
    ranks = zip(range(8, 0, -1), str(chess.Board(str(state))).split("\n"))
    return "\n".join([*(f"{rank} {line}" for rank, line in ranks), "  a b c d e f g h"])


DRAWINGS: dict[str, Callable[[Any], str]] = {"tic_tac_toe": draw_tic_tac_toe, "hex": draw_hex, "chess": draw_chess}
"""of a state, where OpenSpiel's own does not name the squares"""


def with_player(planes: np.ndarray, player: int) -> np.ndarray:
    """OpenSpiel's tensor need not say who is to move."""
    return np.concatenate([planes, np.full_like(planes[:1], player)])


def view_tic_tac_toe(planes: np.ndarray, player: int) -> np.ndarray:
    """Of the planes empty, noughts, crosses; crosses begin."""
    return planes[[1, 2] if player else [2, 1]]


def view_othello(planes: np.ndarray, player: int) -> np.ndarray:
    """Of the planes empty, own, opponent's."""
    return planes[1:]


def view_hex(planes: np.ndarray, player: int) -> np.ndarray:
    """Of the planes White's four, empty, Black's four, each by the edges that its stones reach; Black begins. The players connect
    other edges, so a last plane says who is to move."""
    stones = np.stack([planes[5:].sum(0), planes[:4].sum(0)])
    return with_player(stones[::-1] if player else stones, player)


def view_chess(planes: np.ndarray, player: int) -> np.ndarray:
    """The board with the mover's pieces below: in OpenSpiel's planes, pairs of White and Black, the colours and castling rights change
    places and the ranks are turned when Black (player 0) moves. Actions are seen from the mover already: AlphaZero's 73 kinds of
    moves from each of 64 squares."""
    if player == 1:
        return planes
    order = [plane ^ 1 for plane in range(12)] + [12, 13, 14, 15, 18, 19, 16, 17]
    return planes[order][:, ::-1]


VIEWS: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], type]] = {
    "tic_tac_toe": (view_tic_tac_toe, np.uint8),
    "othello": (view_othello, np.uint8),
    "hex": (view_hex, np.uint8),
    "chess": (view_chess, np.float32),
}
"""of a game, the planes as the player to move sees them, and their type"""
