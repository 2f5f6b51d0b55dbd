"""The values of all Connect Four positions of the first plies, for the solver: src/caudex/evaluation/connect_four_openings.npz.

    pip install bitbully bitbully-databases
    python benchmarks/connect_four_openings.py        # a minute on one thread

To solve them all ourselves would take hours, so the values of ply 8 are those of Markus Thill's opening book (`bitbully-databases`,
MIT licence), read through his solver BitBully. Earlier values follow from them by minimax. Then our own solver, without the table,
solves a sample of ply 8 anew; the script ends with an error where one value differs. A position and its mirror image stand once.
"""

import time
from pathlib import Path

import numpy as np
from bitbully import BitBully, Board

from caudex.evaluation import connect_four_solver as solver

FILE = Path("src/caudex/evaluation/connect_four_openings.npz")
PLIES, SAMPLE, SEED = 8, 100, 0
Line = tuple[tuple[int, ...], int, int]  # columns played, stones, occupied


def continue_line(line: Line) -> list[Line]:
    """The positions after one more move; none where the game is over."""
    columns, stones, occupied = line
    if solver.has_four(occupied ^ stones):
        return []
    squares = [
        int(solver.playable_squares(occupied)) & (solver.COLUMN << 7 * column) for column in range(solver.COLUMNS)
    ]
    return [
        ((*columns, column), occupied ^ stones, occupied | square) for column, square in enumerate(squares) if square
    ]


def main() -> None:
    plies: list[dict[int, Line]] = [{0: ((), 0, 0)}]
    for _ in range(PLIES):
        lines = [line for parent in plies[-1].values() for line in continue_line(parent)]
        plies.append({int(solver.opening_key(*line[1:])): line for line in lines})
    agent, values = BitBully("12-ply-dist"), {}
    for key, (columns, stones, occupied) in plies[-1].items():
        values[key] = -1 if solver.has_four(occupied ^ stones) else int(np.sign(agent.mtdf(Board(list(columns)))))
    for lines in reversed(plies[:-1]):
        for key, line in lines.items():
            children = continue_line(line)
            values[key] = max(-values[int(solver.opening_key(*child[1:]))] for child in children) if children else -1
    keys = np.array(sorted(values))
    np.savez_compressed(
        FILE, steps=np.diff(keys, prepend=0), values=np.array([values[key] for key in keys.tolist()], np.int8)
    )
    print(f"{FILE}: {len(keys):,} positions, {FILE.stat().st_size:,} bytes; the empty board is {values[0]}", flush=True)

    table, buffers = np.zeros(2**22, np.int64), np.zeros((solver.SQUARES + 1, solver.COLUMNS), np.int64)
    no_openings, lines = np.empty((2, 0), np.int64), list(plies[-1].items())
    started = time.process_time()
    for row in np.random.default_rng(SEED).permutation(len(lines))[:SAMPLE]:
        key, (columns, stones, occupied) = lines[row]
        if not solver.has_four(occupied ^ stones):
            own = int(solver.solve(stones, occupied, -1, 1, table, buffers, no_openings))
            assert own == values[key], f"after {columns} the book says {values[key]}, our solver {own}"
    print(
        f"our solver agrees on {SAMPLE} positions of ply {PLIES}; {(time.process_time() - started) / SAMPLE:.2f} s a position"
    )


if __name__ == "__main__":
    main()
