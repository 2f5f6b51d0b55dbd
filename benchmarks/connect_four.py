"""How often random play and MCTS keep the game value of Connect Four: results/connect-four-baselines.csv.

    python benchmarks/connect_four.py                  # measure the players on the packaged set
    python benchmarks/connect_four.py --positions      # solve that set anew, in some minutes
    python benchmarks/connect_four.py --check 10 12    # our own solver against the set, at these plies

The set has 1,000 positions of random play with a losing choice, equally many at plies 4 to 36, of seed 0. Those up to ply 7 have
their values from the solver's table of openings. The packaged file was first filled by BitBully (Markus Thill) up to ply 12, and
our solver's values are the same wherever --check has run: plies 9 to 36.
UCT's constant is the best of three on 500 positions of seed 1, at plies 4 to 7 and 13 to 36, which are quick. Milliseconds a move are on one thread.
"""

import csv
import sys
import time
from pathlib import Path

import numpy as np

from caudex.evaluation import optimal_moves
from caudex.evaluation.baselines.uct import UCT, random_columns
from caudex.evaluation.connect_four_solver import ConnectFourSolver
from caudex.evaluation.optimal_moves import SolvedPositions, optimal_share, positions_with_a_losing_choice

SET, RESULTS = Path("src/caudex/evaluation/connect_four_positions.npz"), Path("results/connect-four-baselines.csv")
COUNT, SEED, OTHER_SEED = 1000, 0, 1
PLIES = range(optimal_moves.FIRST_PLY, optimal_moves.LAST_PLY + 1)
CONSTANTS = (0.7, 1.4, 2.8)


def solve_set() -> None:
    parts, solver = [], ConnectFourSolver(table_bits=24)
    for index, ply in enumerate(PLIES):
        count = COUNT // len(PLIES) + (index < COUNT % len(PLIES))
        parts.append(positions_with_a_losing_choice(count, SEED, range(ply, ply + 1), solver))
    np.savez_compressed(
        SET, **{name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(SolvedPositions._fields)}
    )
    print(f"{SET}: {sum(len(part.stones) for part in parts):,} positions, {SET.stat().st_size:,} bytes")


def check_set(first: int, last: int) -> None:
    positions, solver = optimal_moves.packaged_positions(), ConnectFourSolver(table_bits=24)
    for ply in range(last, first - 1, -1):
        rows, started = positions.plies == ply, time.process_time()
        values = solver.move_values(positions.stones[rows], positions.occupied[rows])
        wrong = int((values != positions.move_values[rows]).any(1).sum())
        seconds = (time.process_time() - started) / rows.sum()
        print(
            f"ply {ply}: {wrong} of {rows.sum()} positions differ; {seconds:.3f} s to solve all moves of one",
            flush=True,
        )


def measure() -> None:
    quick = [
        positions_with_a_losing_choice(*part)
        for part in ((200, OTHER_SEED, range(4, 8)), (300, OTHER_SEED, range(13, 37)))
    ]
    others, positions = (
        SolvedPositions(*(np.concatenate(parts) for parts in zip(*quick))),
        optimal_moves.packaged_positions(),
    )
    arms = [(f"mcts-{n}", UCT(n, c), c, OTHER_SEED) for n in (200, 1000) for c in CONSTANTS]
    arms += [("random", random_columns(), "", SEED)]
    arms += [(f"mcts-{n}", UCT(n, c), c, SEED) for n in (200, 1000) for c in CONSTANTS]
    with RESULTS.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(
            [
                "player",
                "constant",
                "seed of positions",
                "phase",
                "optimal share",
                "low",
                "high",
                "positions",
                "ms a move",
            ]
        )
        for name, choose, constant, seed in arms:
            chosen_from = positions if seed == SEED else others
            choose(chosen_from.stones[:1], chosen_from.occupied[:1])  # compile
            started = time.process_time()
            shares = optimal_share(choose, chosen_from)
            milliseconds = 1000 * (time.process_time() - started) / len(chosen_from.stones)
            for phase, share in shares.items():
                figures = [f"{figure:.3f}" for figure in share[:3]]
                rows.writerow([name, constant, seed, phase, *figures, share.positions, f"{milliseconds:.2f}"])
                print(name, constant, seed, phase, *figures, share.positions, f"{milliseconds:.2f} ms", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--positions"]:
        solve_set()
    elif sys.argv[1:2] == ["--check"]:
        check_set(int(sys.argv[2]), int(sys.argv[3]))
    else:
        measure()
