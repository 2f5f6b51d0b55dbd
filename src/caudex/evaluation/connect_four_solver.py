"""A perfect Connect Four solver: negamax with alpha-beta on bitboards, compiled by numba.

A position is two unsigned 64-bit integers: `stones` of the player to move, and `occupied`, the stones of both. Bit 7 * column + row
is a square, row 0 at the bottom; the seventh bit of a column stays empty. A `ConnectFourPosition` of `envs.boards` is just this:
`solver.values(*positions)`. A `score` says how soon the game ends under perfect play,
for the player to move: 22 less the stones that the winner has played at its end, negative for a loss, 0 for a draw. A `value` is its
sign.

Sources: Allis 1988; the bitboards of Tromp's Fhourstones; the order of moves and the table of Pons 2015, "Solving Connect 4".
"""

from __future__ import annotations

from importlib import resources

import numpy as np

from caudex.core.compiled import compiled
from caudex.core.errors import CaudexError

COLUMNS, ROWS = 7, 6
SQUARES = COLUMNS * ROWS
BOTTOM = sum(1 << 7 * column for column in range(COLUMNS))
COLUMN = 2**ROWS - 1
BOARD = BOTTOM * COLUMN
CENTRE_FIRST = (3, 2, 4, 1, 5, 0, 6)
ILLEGAL = -100
"""stands for the score of a move into a full column"""

# int64 throughout: 49 bits fit, and numba makes a float of a uint64 and an int64


@compiled
def count_bits(bits):
    bits -= (bits >> 1) & 0x5555555555555555
    bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333)
    return (((bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101) >> 56


@compiled
def winning_squares(stones, occupied):
    """The empty squares, within reach or not, that would complete four of `stones`."""
    squares = (stones << 1) & (stones << 2) & (stones << 3)
    for shift in (6, 7, 8):  # falling diagonal, row, rising diagonal
        pair = (stones << shift) & (stones << 2 * shift)
        squares |= pair & ((stones << 3 * shift) | (stones >> shift))
        pair = (stones >> shift) & (stones >> 2 * shift)
        squares |= pair & ((stones >> 3 * shift) | (stones << shift))
    return squares & (BOARD ^ occupied)


@compiled
def has_four(stones):
    for shift in (1, 6, 7, 8):
        pair = stones & (stones >> shift)
        if pair & (pair >> 2 * shift):
            return True
    return False


@compiled
def playable_squares(occupied):
    return (occupied + BOTTOM) & BOARD


@compiled
def random_square(squares, generator):
    """One of the squares, all alike likely."""
    for _ in range(int(generator.random() * count_bits(squares))):
        squares &= squares - 1
    return squares & -squares


@compiled
def non_losing_squares(stones, occupied):
    """The playable squares after which the opponent cannot win at once; 0 if there are none."""
    playable = playable_squares(occupied)
    threats = winning_squares(occupied ^ stones, occupied)
    forced = playable & threats
    if forced:
        if forced & (forced - 1):
            return 0  # two squares to block
        playable = forced
    return playable & ~(threats >> 1)


@compiled
def negamax(stones, occupied, alpha, beta, table, buffers):
    """The score within [alpha, beta], of a position whose player to move cannot win at once.

    `table` int64 [a power of 2] keeps bounds of positions, `buffers` int64 [43, 7] the moves that each ply tries in turn.
    """
    moves = count_bits(occupied)
    playable = non_losing_squares(stones, occupied)
    if playable == 0:
        return -((SQUARES - moves) // 2)
    if moves >= SQUARES - 2:
        return 0
    alpha = max(alpha, -((SQUARES - 2 - moves) // 2))
    beta = min(beta, (SQUARES - 1 - moves) // 2)
    if alpha >= beta:
        return alpha
    key = stones + occupied
    slot = ((key * 0x1E3779B97F4A7C15) >> 20) & (len(table) - 1)
    entry = table[slot]
    if entry >> 8 == key:  # the low byte: a bound + 64; 128 more for a lower bound
        bound = (entry & 127) - 64
        if entry & 128:
            alpha = max(alpha, bound)
        else:
            beta = min(beta, bound)
        if alpha >= beta:
            return bound
    order, count = buffers[moves], 0
    for column in CENTRE_FIRST:
        square = playable & (COLUMN << 7 * column)
        if square:  # first the moves that make most threats; insertion sort
            threats = count_bits(winning_squares(stones | square, occupied))
            place = count
            while place > 0 and order[place - 1] >> 49 < threats:
                order[place] = order[place - 1]
                place -= 1
            order[place] = threats << 49 | square
            count += 1
    for choice in range(count):
        square = order[choice] & BOARD
        score = -negamax(occupied ^ stones, occupied | square, -beta, -alpha, table, buffers)
        if score >= beta:
            table[slot] = key << 8 | 128 | (score + 64)
            return score
        alpha = max(alpha, score)
    table[slot] = key << 8 | (alpha + 64)
    return alpha


@compiled
def solve(stones, occupied, lowest, highest, table, buffers, openings):
    """The score within [lowest, highest] of a position that is not over; the window is narrowed until one score is left.

    `openings` int64 [2, K]: sorted keys of positions, and their values.
    """
    moves = count_bits(occupied)
    if winning_squares(stones, occupied) & playable_squares(occupied):
        return min(highest, (SQUARES + 1 - moves) // 2)
    lowest, highest = max(lowest, -((SQUARES - moves) // 2)), min(highest, (SQUARES - 1 - moves) // 2)
    key = opening_key(stones, occupied)
    row = np.searchsorted(openings[0], key)
    if row < openings.shape[1] and openings[0, row] == key:
        value = openings[1, row]
        if value <= 0:
            highest = min(highest, value)
        if value >= 0:
            lowest = max(lowest, value)
    while lowest < highest:
        middle = lowest + (highest - lowest) // 2
        middle = (
            min(middle, lowest // 2) if middle <= 0 else max(middle, highest // 2)
        )  # bounds far from 0 are quick to prove
        if negamax(stones, occupied, middle, middle + 1, table, buffers) <= middle:
            highest = middle
        else:
            lowest = middle + 1
    return lowest


@compiled
def opening_key(stones, occupied):
    """One number for a position and its mirror image."""
    mirrored_stones = mirrored_occupied = 0
    for column in range(COLUMNS):
        shift = 7 * (COLUMNS - 1 - column)
        mirrored_stones |= ((stones >> 7 * column) & COLUMN) << shift
        mirrored_occupied |= ((occupied >> 7 * column) & COLUMN) << shift
    return min(stones + occupied, mirrored_stones + mirrored_occupied)


@compiled
def solve_moves(stones, occupied, lowest, highest, table, buffers, openings):
    """int8 [B, 7]: the score of each move within [lowest, highest], `ILLEGAL` for a full column."""
    scores = np.full((len(stones), COLUMNS), ILLEGAL, np.int8)
    for row in range(len(stones)):
        own, both = stones[row], occupied[row]
        for column in CENTRE_FIRST:
            square = playable_squares(both) & (COLUMN << 7 * column)
            if square & winning_squares(own, both):
                scores[row, column] = min(highest, (SQUARES + 1 - count_bits(both)) // 2)
            elif square:
                scores[row, column] = -solve(both ^ own, both | square, -highest, -lowest, table, buffers, openings)
    return scores


class ConnectFourSolver:
    """Exact values and scores of positions, `stones` and `occupied` uint64 [B], and of their moves, int8 [B, 7] by column.

    `table_bits`: the transposition table has 2 ** table_bits entries of 8 bytes. It is kept between calls, so that related
    positions share it. Values of moves up to ply 7 are looked up. Later, all moves of one position of random play take, in the
    mean on one thread: ply 13 0.09 s, 14 0.03 s, 16 5 ms, 20 1 ms, from 24 on less than 0.5 ms; scores up to twice as long. Scores
    of the first plies take minutes. The first call of a process compiles for some 10 s, or loads numba's cache.

    Raises CaudexError for bitboards that no game has and for games that are over.
    """

    def __init__(self, table_bits: int = 22):
        self.table = np.zeros(2**table_bits, np.int64)
        self.buffers = np.zeros((SQUARES + 1, COLUMNS), np.int64)
        self.openings = load_openings()

    def values(self, stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        """int8 [B]: 1, 0 or -1 for the player to move."""
        return self.move_values(stones, occupied).max(1)

    def scores(self, stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        """int8 [B]: how soon the player to move wins or loses."""
        return self.move_scores(stones, occupied).max(1)

    def move_values(self, stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        """int8 [B, 7]: the value of each move for the player who makes it; `ILLEGAL` for a full column."""
        return self._solve_moves(stones, occupied, 1)

    def move_scores(self, stones: np.ndarray, occupied: np.ndarray) -> np.ndarray:
        """int8 [B, 7]: the score of each move for the player who makes it; `ILLEGAL` for a full column."""
        return self._solve_moves(stones, occupied, SQUARES)

    def _solve_moves(self, stones, occupied, highest):
        stones, occupied = check_positions(stones, occupied)
        return solve_moves(stones, occupied, -highest, highest, self.table, self.buffers, self.openings)


def check_positions(stones: np.ndarray, occupied: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As int64 [B], once each is seen to be a position of a game that goes on."""
    stones, occupied = np.atleast_1d(stones).astype(np.int64), np.atleast_1d(occupied).astype(np.int64)
    for own, both in zip(stones.tolist(), occupied.tolist()):
        count = both.bit_count()
        if own & ~both or both & ~BOARD or both & (both + BOTTOM) or own.bit_count() != count // 2:
            raise CaudexError(
                f"stones {own:#x} and occupied {both:#x} are no Connect Four position: bit 7 * column + row is a square, "
                f"columns fill from the bottom, and `stones` are those of the player to move."
            )
        if both == BOARD or has_four(both ^ own) or has_four(own):
            raise CaudexError(
                f"the game with stones {own:#x} and occupied {both:#x} is over; give a position in which one can move."
            )
    return stones, occupied


def load_openings() -> np.ndarray:
    """int64 [2, K]: keys of the positions up to ply 8, mirrored ones once, and their values.

    The values of ply 8 are those of Markus Thill's opening book; benchmarks/connect_four_openings.py has checked a sample.
    """
    file = resources.files("caudex.evaluation") / "connect_four_openings.npz"
    with file.open("rb") as stream, np.load(stream) as arrays:
        return np.stack([arrays["steps"].cumsum(), arrays["values"].astype(np.int64)])
