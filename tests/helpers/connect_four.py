"""Connect Four positions as bitboards, and a slow solver that knows nothing of them."""

import numpy as np

ROWS, COLUMNS = 6, 7


def play(*columns: int) -> tuple[int, int]:
    """(stones of the player to move, occupied) after these moves from the empty board."""
    stones = occupied = 0
    for column in columns:
        square = (occupied + (1 << 7 * column)) & (63 << 7 * column)
        assert square, f"column {column} is full"
        stones, occupied = occupied ^ stones, occupied | square
    return stones, occupied


def boards_of(*positions: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    stones, occupied = zip(*positions)
    return np.array(stones, np.uint64), np.array(occupied, np.uint64)


def grid_of(stones: int, occupied: int) -> np.ndarray:
    """[6, 7], row 0 at the bottom: 1 for the player to move, -1 for the opponent."""
    squares = np.array([[7 * column + row for column in range(COLUMNS)] for row in range(ROWS)])
    own, both = stones >> squares & 1, occupied >> squares & 1
    return 2 * own - both


def wins(grid: np.ndarray, player: int) -> bool:
    own = grid == player
    lines = [own[r, c : c + 4] for r in range(6) for c in range(4)] + [
        own[r : r + 4, c] for r in range(3) for c in range(7)
    ]
    squares = [own[r : r + 4, c : c + 4] for r in range(3) for c in range(4)]
    lines += [square.diagonal() for square in squares] + [square[::-1].diagonal() for square in squares]
    return any(line.all() for line in lines)


def minimax(grid: np.ndarray, player: int = 1) -> int:
    """The score of the solver's docstring, by trying everything."""
    played = int((grid != 0).sum())
    if played == ROWS * COLUMNS:
        return 0
    scores = []
    for column in np.flatnonzero(grid[-1] == 0):
        child = grid.copy()
        child[int((grid[:, column] != 0).sum()), column] = player
        scores.append(22 - (played // 2 + 1) if wins(child, player) else -minimax(child, -player))
    return max(scores)
