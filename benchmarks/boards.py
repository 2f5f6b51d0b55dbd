"""Steps a processor-second of random games, ours on 256 games at once and OpenSpiel's, on one thread; writes results/boards.csv.

    OMP_NUM_THREADS=1 python benchmarks/boards.py

A step is: which moves are legal, draw one, make it, ask whether the game is over. `with planes` also asks for what a network would
see. The arms take turns, five rounds of half a second each; medians. `open_spiel, in C++` is its MCTSBot with one simulation
of 200 random rollouts, which no Python interrupts: a limit. Our Go also refuses repeated boards, which OpenSpiel ends as draws.
"""

import csv
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyspiel

from caudex.envs.boards import Game, find_game, random_actions, where

FILE = Path(__file__).parents[1] / "results" / "boards.csv"
GAMES = {"connect-four": ("connect_four", {}), "go-9": ("go", {"board_size": 9})}
BATCH, ROUNDS, SECONDS = 256, 5, 0.5


def play_batch(game: Game, with_planes: bool) -> Callable[[], int]:
    """A function that steps all games once and returns how many steps it made; a finished game begins anew."""
    rng = np.random.default_rng(0)
    positions = game.initial(BATCH)

    def step() -> int:
        nonlocal positions
        positions = game.apply(positions, random_actions(game.legal(positions), rng))
        if with_planes:
            game.planes(positions)
        is_over, _ = game.outcome(positions)
        if is_over.any():
            positions = where(is_over, game.initial(BATCH), positions)
        return BATCH

    return step


def play_states(rules: pyspiel.Game, with_planes: bool) -> Callable[[], int]:
    """The same by a loop in Python, one game to its end."""
    rng = random.Random(0)

    def play() -> int:
        state = rules.new_initial_state()
        while not state.is_terminal():
            state.apply_action(rng.choice(state.legal_actions()))
            if with_planes:
                np.array(state.observation_tensor(0), np.float32)
        return state.move_number()

    return play


def play_rollouts(rules: pyspiel.Game) -> Callable[[], float]:
    """The same in C++, whose games are taken to be as long as those of `play_states`."""
    play, count = play_states(rules, False), 200
    moves = statistics.fmean(play() for _ in range(300))
    bot = pyspiel.MCTSBot(rules, pyspiel.RandomRolloutEvaluator(count, 0), 1.0, 1, 1, False, 0, False)

    def evaluate() -> float:
        bot.step(rules.new_initial_state())
        return count * moves

    return evaluate


def steps_per_second(play: Callable[[], float]) -> float:
    steps, started = 0, time.process_time()
    while (elapsed := time.process_time() - started) < SECONDS:
        steps += play()
    return steps / elapsed


def main() -> None:
    rows = []
    for name, (short_name, parameters) in GAMES.items():
        game, rules = find_game(name), pyspiel.load_game(short_name, parameters)
        arms = {
            "caudex": play_batch(game, False),
            "open_spiel, in Python": play_states(rules, False),
            "open_spiel, in C++": play_rollouts(rules),
            "caudex, with planes": play_batch(game, True),
            "open_spiel, in Python, with planes": play_states(rules, True),
        }
        for play in arms.values():
            play()  # numba compiles
        rates = [{arm: steps_per_second(play) for arm, play in arms.items()} for _ in range(ROUNDS)]
        for arm in arms:
            peer = "open_spiel, in Python, with planes" if "planes" in arm else "open_spiel, in Python"
            ratios = [rate[arm] / rate[peer] for rate in rates]
            rows.append(
                {
                    "game": name,
                    "arm": arm,
                    "steps_per_second": round(statistics.median(rate[arm] for rate in rates)),
                    "ratio": f"{statistics.median(ratios):.2f}",
                    "lowest": f"{min(ratios):.2f}",
                    "highest": f"{max(ratios):.2f}",
                }
            )
            print(rows[-1], flush=True)
    with FILE.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
