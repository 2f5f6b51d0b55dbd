"""The rules of Go on batches of boards, compiled.

Points are counted row by row, 0 empty, 1 black, 2 white. `neighbors` int16 [P, 4] has -1 at the edge, `keys` uint64 [3, P] the Zobrist
keys of a stone of each colour on each point: the exclusive or of all stones' keys names a board.
"""

from __future__ import annotations

import numpy as np

from caudex.core.compiled import compiled

LOW_BITS = np.uint64(1023)
"""of a hash"""


@compiled
def fill_group(board, start, neighbors, labels, label, stack):
    """Label the points of one colour that are connected with `start`; they stand in `stack`, and their number is returned."""
    labels[start], stack[0], size, done, color = label, start, 1, 0, board[start]
    while done < size:
        for side in range(4):
            near = neighbors[stack[done], side]
            if near >= 0 and board[near] == color and labels[near] < 0:
                labels[near] = label
                stack[size] = near
                size += 1
        done += 1
    return size


@compiled
def find_groups(board, neighbors, keys, labels, in_atari, hashes, sums):
    """The group of each stone in `labels`, named by its first point; of each group, whether it has a single liberty, and the exclusive
    or of its keys.

    Free sides of a group's stones are counted, not free points: they are one point where the squares of their numbers, times their
    count, are the square of their sum.
    """
    for point in range(len(board)):
        labels[point], hashes[point], sums[point] = point, np.uint64(0), 0
        for side in (0, 2):  # the sides that come before it
            near = neighbors[point, side]
            if near >= 0 and board[near] == board[point]:
                one, other = labels[point], labels[near]
                while labels[one] != one:
                    one = labels[one]
                while labels[other] != other:
                    other = labels[other]
                labels[max(one, other)] = min(one, other)
    for point in range(len(board)):
        group = labels[point] = labels[labels[point]]  # the label of an earlier point is final
        if board[point] != 0:
            hashes[group] ^= keys[board[point], point]
            for side in range(4):
                near = np.int64(neighbors[point, side])
                is_free = np.int64((near >= 0) & (board[near] == 0))
                sums[group, 0] += is_free
                sums[group, 1] += is_free * near
                sums[group, 2] += is_free * near * near
    for point in range(len(board)):
        in_atari[point] = sums[point, 0] * sums[point, 2] == sums[point, 1] * sums[point, 1]


@compiled
def mark_legal(boards, history, moves, rows, neighbors, keys, legal):
    """Set `legal` bool [B, P + 1] in these rows: points without suicide and without a board of the `history` uint64 [B, M + 1], and
    the pass."""
    points = boards.shape[1]
    labels, in_atari = np.empty(points, np.int16), np.empty(points, np.bool_)
    hashes, sums = np.empty(points, np.uint64), np.empty((points, 3), np.int64)
    captured, is_known = np.empty(4, np.int16), np.empty(LOW_BITS + 1, np.bool_)
    for b in rows:
        board, color, number = boards[b], 1 + moves[b] % 2, moves[b]
        find_groups(board, neighbors, keys, labels, in_atari, hashes, sums)
        legal[b, points] = True
        is_known[:] = False  # few moves need the search among all earlier boards
        for i in range(number + 1):
            is_known[history[b, i] & LOW_BITS] = True
        for point in range(points):
            if board[point] != 0:
                continue
            has_liberty, num_captured = False, 0
            after = history[b, number] ^ keys[color, point]
            for side in range(4):
                near = neighbors[point, side]
                if near < 0:
                    continue
                label = labels[near]
                if board[near] == 0 or (board[near] == color and not in_atari[label]):
                    has_liberty = True
                elif board[near] == 3 - color and in_atari[label]:
                    has_liberty, is_new = True, True
                    for i in range(num_captured):
                        is_new &= captured[i] != label
                    if is_new:
                        captured[num_captured] = label
                        num_captured += 1
                        after ^= hashes[label]
            repeats = False
            if has_liberty and is_known[after & LOW_BITS]:
                for i in range(number + 1):
                    repeats |= history[b, i] == after
            legal[b, point] = has_liberty and not repeats


@compiled
def place_stones(boards, history, moves, rows, actions, neighbors, keys):
    """Play `actions` in these rows of `boards` int8 [B, P] and append the new boards to the `history`, both in place."""
    points = boards.shape[1]
    labels, stack = np.empty(points, np.int16), np.empty(points, np.int16)
    for b in rows:
        board, point, color = boards[b], actions[b], 1 + moves[b] % 2
        after = history[b, moves[b]]
        if point < points:
            board[point] = color
            after ^= keys[color, point]
            for side in range(4):
                near = neighbors[point, side]
                if near < 0 or board[near] != 3 - color:
                    continue
                labels[:] = -1
                size = fill_group(board, near, neighbors, labels, 0, stack)
                if count_liberties(board, stack, size, neighbors) == 0:
                    for i in range(size):
                        board[stack[i]] = 0
                        after ^= keys[3 - color, stack[i]]
        history[b, moves[b] + 1] = after


@compiled
def count_liberties(board, group, size, neighbors):
    """Free points beside the group; one that touches several of its stones counts as often."""
    count = 0
    for i in range(size):
        for side in range(4):
            near = neighbors[group[i], side]
            count += near >= 0 and board[near] == 0
    return count


@compiled
def mark_owners(boards, rows, neighbors, owners):
    """Set `owners` int8 [B, P] in these rows: 1 for Black's stones and what only they touch, -1 for White's, 0 for neither."""
    points = boards.shape[1]
    labels, stack = np.empty(points, np.int16), np.empty(points, np.int16)
    for b in rows:
        board = boards[b]
        labels[:] = -1
        for start in range(points):
            if board[start] != 0:
                owners[b, start] = 1 if board[start] == 1 else -1
            elif labels[start] < 0:
                size = fill_group(board, start, neighbors, labels, start, stack)
                touches_black, touches_white = False, False
                for i in range(size):
                    for side in range(4):
                        near = neighbors[stack[i], side]
                        if near >= 0:
                            touches_black |= board[near] == 1
                            touches_white |= board[near] == 2
                for i in range(size):
                    owners[b, stack[i]] = int(touches_black) - int(touches_white)
