"""What runs of alpha-zero are worth: results/alpha-zero.csv.

    python benchmarks/alpha_zero.py runs/alpha-zero-1 [runs/alpha-zero-2] [--games 100] [--simulations 200]

Of connect-four: games as first player against MCTS-1000, and optimal moves by phase beside random, MCTS-200 and MCTS-1000. Of 5x5 Go:
games as Black against MCTS-1000, and against itself, where White draws its moves by Gumbel noise; whether it opens in the centre, and
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


def measure_connect_four(agent: GameAgent, simulations: int, games: int, seed: int) -> list[dict]:
    game, rows = agent.game, []
    players = {name: find_player(name, game, seed=seed) for name in ("random", "mcts-200", "mcts-1000")}
    players["network alone"] = with_simulations(agent, 0)
    players[f"{simulations} simulations"] = with_simulations(agent, simulations)
    solved, keeps = packaged_positions(), {}
    positions = type(game.initial(1))(solved.stones, solved.occupied)
    for name, choose in players.items():
        actions = choose(positions)
        for phase, share in optimal_share(lambda *_, actions=actions: actions, solved).items():
            rows.append(share_row(game.name, f"optimal moves, {phase}: {name}", *share))
        keeps[name] = solved.move_values[np.arange(len(actions)), actions] == solved.move_values.max(1)
    for name in ("mcts-1000", "mcts-200"):  # in the same positions
        gains = keeps[f"{simulations} simulations"].astype(float) - keeps[name]
        rows.append(
            share_row(
                game.name, f"optimal moves: {simulations} simulations over {name}", *t_interval(gains), len(gains)
            )
        )
    ends, _ = play_as_first(game, players[f"{simulations} simulations"], players["mcts-1000"], games)
    _, value = game.outcome(ends)
    of_first = np.where(game.to_play(ends) == 0, value, -value)
    for name, score in (("wins", 1), ("draws", 0), ("losses", -1)):
        share = float((of_first == score).mean())
        rows.append(
            share_row(
                game.name, f"{name} as first player against mcts-1000", share, *wilson_interval(share, games), games
            )
        )
    return rows


def measure_go(agent: GameAgent, simulations: int, games: int, seed: int) -> list[dict]:
    game, rows, seeds = agent.game, [], iter(range(seed, seed + 10_000))
    black = with_simulations(agent, simulations)
    opponents = {
        "itself": lambda positions: agent.search(positions, simulations, noise=1.0, seed=next(seeds)).actions,
        "mcts-1000": find_player("mcts-1000", game, seed=seed),
    }
    centre = game.points // 2
    for name, white in opponents.items():
        ends, opening = play_as_first(game, black, white, games)
        lead = game.ownership(ends).sum((1, 2))
        share = float((lead > game.komi).mean())
        rows.append(
            share_row(
                game.name,
                f"wins as Black at komi {game.komi:g} against {name}",
                share,
                *wilson_interval(share, games),
                games,
            )
        )
        mean, low, high = t_interval(lead) if lead.std() else (float(lead.mean()),) * 3
        rows.append(share_row(game.name, f"area beyond White's against {name}", mean, low, high, games))
        share = float((opening == centre).mean())
        rows.append(
            share_row(game.name, f"opens in the centre against {name}", share, *wilson_interval(share, games), games)
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders of finished runs of alpha-zero")
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--simulations", type=int, default=200, help="of a move")
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
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
