"""Where the stones of a game lie on the page, and which cells an action is about. Cells are counted row by row from the top left."""

from __future__ import annotations

from typing import Any

import numpy as np

from caudex.envs.boards import Game, Position
from caudex.envs.boards.records import game_kind, side_names

GO_LETTERS = "ABCDEFGHJKLMNOPQRST"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def board_layout(game: Game) -> dict[str, Any]:
    """The kind of board, its rows and columns and their names; a game of no known kind has a drawing in text instead."""
    kind = game_kind(game)
    if not kind:
        return {"kind": "text", "rows": 0, "columns": 0, "row_names": [], "column_names": []}
    rows, columns = (8, 8) if kind == "chess" else game.shape[1:]
    row_names, column_names = [str(row + 1) for row in range(rows)], list(LETTERS[:columns])
    if kind in ("go", "chess"):
        row_names = row_names[::-1]
    if kind == "go":
        column_names = list(GO_LETTERS[:columns])
    if kind == "connect-four":
        row_names, column_names = [""] * rows, [str(column + 1) for column in range(columns)]
    return {"kind": kind, "rows": rows, "columns": columns, "row_names": row_names, "column_names": column_names}


def page_sides(game: Game) -> tuple[str, str]:
    """How the page calls the players: by the colours that it draws."""
    return ("Red", "Yellow") if game_kind(game) == "connect-four" else side_names(game)


def board_cells(game: Game, positions: Position) -> list[str]:
    """Of the first game: 0 and 1 for the stones of the players, letters of pieces (capitals are White's), "" for an empty cell."""
    kind = game_kind(game)
    if not kind:
        return []
    if kind == "chess":
        ranks = game.fen(positions, 0).split()[0].split("/")
        digits = {ord(digit): "." * int(digit) for digit in "12345678"}
        return ["" if letter == "." else letter for rank in ranks for letter in rank.translate(digits)]
    own, other = game.planes(positions)[0, :2]
    mover = int(game.to_play(positions)[0])
    cells = np.where(own == 1, str(mover), np.where(other == 1, str(1 - mover), ""))
    return (cells[::-1] if kind == "go" else cells).reshape(-1).tolist()


def action_cells(game: Game, positions: Position, action: int) -> tuple[int | None, int | None]:
    """(source, target): the cell from which a piece moves, in chess alone, and the cell that the action fills; None for a pass."""
    kind = game_kind(game)
    if not kind:
        return None, None
    if kind == "chess":
        name = game.action_name(positions, 0, action)
        return square_cell(name[:2]), square_cell(name[2:4])
    rows, columns = game.shape[1:]
    if kind == "connect-four":
        height = int(game.planes(positions)[0, :2, :, action].sum())
        return None, (rows - 1 - height) * columns + action
    if action >= rows * columns:
        return None, None
    row, column = divmod(action, columns)
    return None, (rows - 1 - row if kind == "go" else row) * columns + column


def square_cell(square: str) -> int:
    return (8 - int(square[1])) * 8 + LETTERS.index(square[0])
