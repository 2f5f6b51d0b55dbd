"""What runs of alpha-zero are worth: results/alpha-zero.csv.

    python benchmarks/alpha_zero.py runs/alpha-zero-1 [runs/alpha-zero-2] [--games 100] [--simulations 200 800]

Of connect-four: games as first player against MCTS-1000, and optimal moves by phase beside random, MCTS-200 and MCTS-1000. Of 5x5 Go:
games as Black against MCTS-1000, and against itself, where White draws its symmetries, or its moves by Gumbel noise, too; whether it opens in the centre, and
its area beyond White's.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch

from caudex.core.system import load
from caudex.envs.boards import Game, select
from caudex.evaluation.game_strength import with_simulations
from caudex.evaluation.intervals import t_interval, wilson_interval
from caudex.evaluation.matches import ask_players
from caudex.evaluation.optimal_moves import optimal_share, packaged_positions
from caudex.evaluation.players import find_player
from caudex.models.game_agent import GameAgent

RESULTS = Path(__file__).parent.parent / "results" / "alpha-zero.csv"


def share_row(game: str, measure: str, share: float, low: float, high: float, count: int) -> dict:
    return {
        "game": game,
        "measure": measure,
        "mean": f"{share:.4f}",
        "low": f"{low:.4f}",
        "high": f"{high:.4f}",
        "of": count,
    }


def play_as_first(game: Game, first, second, games: int):
    """The final positions, and the first actions, of games that `first` begins."""
    positions, ends, opening = game.initial(games), game.initial(games), None
    rows = np.arange(games)
    while len(rows):
        actions = ask_players(game, (first, second), ("first", "second"), positions, game.to_play(positions))
        opening = actions if opening is None else opening
        positions = game.apply(positions, actions)
        is_over, _ = game.outcome(positions)
        for field, part in zip(ends, positions):
            field[rows[is_over]] = part[is_over]
        rows, positions = rows[~is_over], select(positions, ~is_over)
    return ends, opening


def measure_connect_four(agent: GameAgent, simulations: list[int], games: int, seed: int) -> list[dict]:
    game, rows = agent.game, []
    baselines = {name: find_player(name, game, seed=seed) for name in ("random", "mcts-200", "mcts-1000")}
    players = {"network alone": with_simulations(agent, 0)}
    players |= {f"{count} simulations": with_simulations(agent, count) for count in simulations}
    solved, keeps = packaged_positions(), {}
    positions = type(game.initial(1))(solved.stones, solved.occupied)
    for name, choose in (baselines | players).items():
        actions = choose(positions)
        for phase, share in optimal_share(lambda *_, actions=actions: actions, solved).items():
            rows.append(share_row(game.name, f"optimal moves, {phase}: {name}", *share))
        keeps[name] = solved.move_values[np.arange(len(actions)), actions] == solved.move_values.max(1)
    for name, choose in list(players.items())[1:]:
        for baseline in ("mcts-1000", "mcts-200"):  # in the same positions
            gains = keeps[name].astype(float) - keeps[baseline]
            rows.append(share_row(game.name, f"optimal moves: {name} over {baseline}", *t_interval(gains), len(gains)))
        ends, _ = play_as_first(game, choose, baselines["mcts-1000"], games)
        _, value = game.outcome(ends)
        of_first = np.where(game.to_play(ends) == 0, value, -value)
        for result, score in (("wins", 1), ("draws", 0), ("losses", -1)):
            share = float((of_first == score).mean())
            measure = f"{result} as first player against mcts-1000: {name}"
            rows.append(share_row(game.name, measure, share, *wilson_interval(share, games), games))
    return rows


def measure_go(agent: GameAgent, simulations: list[int], games: int, seed: int) -> list[dict]:
    game, rows, seeds, count, games = agent.game, [], iter(range(seed, seed + 10_000)), simulations[0], games // 2
    black, centre = with_simulations(agent, count), agent.game.points // 2
    opponents = {
        "itself": lambda positions: agent.search(positions, count, seed=next(seeds)).actions,
        "itself with noise": lambda positions: agent.search(positions, count, noise=1.0, seed=next(seeds)).actions,
        "mcts-1000": find_player("mcts-1000", game, seed=seed),
    }
    for name, white in opponents.items():
        ends, opening = play_as_first(game, black, white, games)
        lead = game.ownership(ends).sum((1, 2))
        for measure, share in (
            (f"wins as Black at komi {game.komi:g}", (lead > game.komi).mean()),
            ("all of the board is Black's", (lead == game.points).mean()),
            ("opens in the centre", (opening == centre).mean()),
        ):
            low, high = wilson_interval(float(share), games)
            rows.append(
                share_row(game.name, f"{measure}, {count} simulations, against {name}", share, low, high, games)
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders of finished runs of alpha-zero")
    parser.add_argument("--games", type=int, default=100, help="of a match; half as many of Go, where MCTS is slow")
    parser.add_argument("--simulations", type=int, nargs="+", default=[200, 800], help="of a move, each measured")
    parser.add_argument("--seed", type=int, default=0)
    flags, rows = parser.parse_args(), []
    torch.set_num_threads(1)
    for run in flags.runs:
        agent, started = load(run), time.process_time()
        measure = measure_connect_four if agent.game.name == "connect-four" else measure_go
        measured = measure(agent, flags.simulations, flags.games, flags.seed)
        for row in measured:
            print(*row.values(), sep="  ", flush=True)
        print(f"{run}: {time.process_time() - started:,.0f} s of processor time")
        rows += measured
    games = {row["game"] for row in rows}
    if RESULTS.exists():  # of games that were not measured now
        with RESULTS.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["game"] not in games] + rows
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
