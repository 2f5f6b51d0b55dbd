"""Played games as text: SGF for Go, PGN for chess, a list of moves for every other game.

Sources: SGF FF[4] (red-bean.com/sgf); the Portable Game Notation of 1994.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caudex.envs.boards.game import Game, Position

SIDES = {"go": ("Black", "White"), "chess": ("White", "Black"), "othello": ("Black", "White"), "hex": ("Black", "White"),
         "connect-four": ("X", "O"), "tic-tac-toe": ("X", "O")}  # fmt: skip


class PlayedGame(NamedTuple):
    """A game from its first move, over or not."""

    players: tuple[str, str]  # names; the first moves first
    moves: Sequence[int]


def game_kind(game: Game) -> str:
    """go, chess, othello, hex, connect-four, tic-tac-toe; "" for every other."""
    name = getattr(game, "short_name", game.name).replace("_", "-")
    name = "go" if name.startswith("go-") else name
    is_own = type(game).__module__.startswith("caudex.envs.boards.")  # a user's game may have any name
    return name if is_own and name in SIDES else ""


def side_names(game: Game) -> tuple[str, str]:
    """How the two players are called, who moves first before the other."""
    return SIDES.get(game_kind(game), ("first", "second"))


def replay_moves(game: Game, moves: Sequence[int]) -> Position:
    """The position, of one game, after these legal moves."""
    positions = game.initial(1)
    for action in moves:
        positions = game.apply(positions, np.array([action]))
    return positions


def outcome_of_first(game: Game, positions: Position) -> float | None:
    """The value of the first game for player 0; None where the game goes on."""
    is_over, values = game.outcome(positions)
    if not is_over[0]:
        return None
    return float(values[0] if game.to_play(positions)[0] == 0 else -values[0])


def describe_outcome(game: Game, positions: Position, sides: tuple[str, str] | None = None) -> str:
    """As "Black wins by 3.5 points", "a draw"; "not finished". `sides` are other names than those of `side_names`."""
    outcome = outcome_of_first(game, positions)
    if outcome is None:
        return "not finished"
    points = f" by {abs(area_lead(game, positions)):g} points" if game_kind(game) == "go" else ""
    return f"{(sides or side_names(game))[outcome < 0]} wins{points}" if outcome else "a draw"


def area_lead(game: Game, positions: Position) -> float:
    """In Go: Black's points minus White's, komi among these."""
    return float(game.ownership(positions)[0].sum() - game.komi)


def record_suffix(game: Game) -> str:
    """.sgf, .pgn or .txt."""
    return {"go": ".sgf", "chess": ".pgn"}.get(game_kind(game), ".txt")


def format_games(game: Game, games: Sequence[PlayedGame]) -> str:
    """The file of these games."""
    format_game = {".sgf": format_sgf, ".pgn": format_pgn, ".txt": format_moves}[record_suffix(game)]
    return "\n".join(format_game(game, played) for played in games)


def format_sgf(game: Game, played: PlayedGame) -> str:
    """One game tree of SGF: aa is the top left point."""
    positions = replay_moves(game, played.moves)
    outcome, lead = outcome_of_first(game, positions), area_lead(game, positions)
    result = "?" if outcome is None else "0" if outcome == 0 else f"{'B' if lead > 0 else 'W'}+{abs(lead):g}"
    black, white = (escape_sgf(name) for name in played.players)
    nodes = [f";{'BW'[number % 2]}[{sgf_point(game.size, action)}]" for number, action in enumerate(played.moves)]
    root = f";FF[4]GM[1]CA[UTF-8]AP[caudex]SZ[{game.size}]KM[{game.komi:g}]RU[Tromp-Taylor]PB[{black}]PW[{white}]RE[{result}]"
    return f"({root}\n{''.join(nodes)})\n"


def sgf_point(size: int, action: int) -> str:
    """Column and row by letters from the top left; "" is the pass. Actions are counted from A1, the bottom left."""
    if action == size * size:
        return ""
    row, column = divmod(action, size)
    return chr(ord("a") + column) + chr(ord("a") + size - 1 - row)


def escape_sgf(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("]", "\\]").replace(":", "\\:")


def format_pgn(game: Game, played: PlayedGame) -> str:
    import chess.pgn

    positions = game.initial(1)
    board = chess.Board(game.fen(positions, 0))
    for action in played.moves:
        board.push_uci(game.action_name(positions, 0, action))
        positions = game.apply(positions, np.array([action]))
    record, outcome = chess.pgn.Game.from_board(board), outcome_of_first(game, positions)
    names = (" ".join(name.split()).replace("\\", "\\\\").replace('"', '\\"') for name in played.players)
    record.headers["White"], record.headers["Black"] = names
    record.headers["Result"] = "*" if outcome is None else {1: "1-0", 0: "1/2-1/2", -1: "0-1"}[int(np.sign(outcome))]
    return f"{record}\n"


def format_moves(game: Game, played: PlayedGame) -> str:
    """Lines `key: value`: the game, the players, the outcome, and the moves by their names."""
    positions, names = game.initial(1), []
    for action in played.moves:
        names.append(game.action_name(positions, 0, action))
        positions = game.apply(positions, np.array([action]))
    first, second = (" ".join(name.split()) for name in played.players)
    sides = side_names(game)
    return (
        f"game: {game.name}\n{sides[0]}: {first}\n{sides[1]}: {second}\n"
        f"outcome: {describe_outcome(game, positions)}\nmoves: {' '.join(names)}\n"
    )
