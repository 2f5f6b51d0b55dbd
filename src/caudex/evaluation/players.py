"""Players of board games by their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.boards import Game, Position, random_actions
from caudex.models.game_agent import GameAgent

ChooseActions = Callable[[Position], np.ndarray]
"""a player: actions int64 [B] for positions of games that go on"""
PLAYERS = "random, mcts-N (as mcts-1000), solver (of connect-four), or the folder of a run"
BYTES_PER_EDGE = 32
"""of a search's tree, for each simulation: it has room for twice as many nodes"""
EXACT_SCORES_FROM = 14
"""the ply from which the solver looks for the quickest win; before, this takes too long"""


def find_player(name: str, game: Game, simulations: int | None = None, seed: int = 0) -> ChooseActions:
    """random; mcts-N, UCT with N random rollouts a move; solver, perfect in connect-four; or a run of the same game, which searches with
    `simulations` (None: as many as in its training) and no noise.

    Raises CaudexError for another name, a solver of another game, and a run of another game or of none.
    """
    if name == "random":
        generator = np.random.default_rng(seed)
        return lambda positions: random_actions(game.legal(positions), generator)
    if match := re.fullmatch(r"mcts-(\d{1,7})", name):
        return uct_player(game, int(match[1]), seed)
    if name == "solver":
        return solver_player(game, seed)
    if not Path(name).is_dir():
        raise CaudexError(f"{name!r} is no player; give {PLAYERS}.")
    return run_player(name, game, simulations)


def uct_player(game: Game, rollouts: int, seed: int) -> ChooseActions:
    if game.name == "connect-four":
        from caudex.evaluation.baselines.uct import UCT

        choose = UCT(rollouts, seed=seed)
        return lambda positions: choose(*positions)
    from caudex.evaluation.baselines.game_uct import GameUCT

    return GameUCT(game, rollouts, seed=seed)


def solver_player(game: Game, seed: int) -> ChooseActions:
    """Draws among the moves that keep the game value, later among those that win soonest, or lose latest."""
    if game.name != "connect-four":
        raise CaudexError(f"the solver plays connect-four, not {game.name}; give another opponent, as mcts-1000.")
    from caudex.evaluation.connect_four_solver import ConnectFourSolver

    solver, generator = ConnectFourSolver(), np.random.default_rng(seed)

    def choose(positions: Position) -> np.ndarray:
        is_late = np.bitwise_count(positions.occupied) >= EXACT_SCORES_FROM
        values = np.empty((len(is_late), game.num_actions), np.int8)
        for rows, solve in ((is_late, solver.move_scores), (~is_late, solver.move_values)):
            values[rows] = solve(positions.stones[rows], positions.occupied[rows])
        return random_actions(values == values.max(1, keepdims=True), generator)

    return choose


def run_player(folder: str, game: Game, simulations: int | None) -> ChooseActions:
    agent = load_game_agent(folder)
    if agent.game.name != game.name or agent.game.shape != game.shape:
        raise CaudexError(f"{folder} plays {agent.game.name}, not {game.name}; give a run of {game.name}.")
    set_simulations(agent, simulations)
    return agent.choose


def load_game_agent(folder: str | Path) -> GameAgent:
    """Raises CaudexError where the run plays no board game."""
    from caudex.core.system import load

    agent = load(folder)
    if not isinstance(agent, GameAgent):
        raise CaudexError(f"{folder} plays no board game; give a run of alpha-zero.")
    return agent


def set_simulations(agent: GameAgent, simulations: int | None) -> None:
    """Of each of its searches; None leaves what it has. Raises CaudexError where no search can have so many."""
    number, limit = agent.simulations if simulations is None else simulations, simulation_limit(agent.game)
    if not 1 <= number <= limit:
        raise CaudexError(f"--simulations {number:,} is out of range; {agent.game.name} takes 1 to {limit:,}.")
    agent.simulations = number


def simulation_limit(game: Game) -> int:
    """Simulations of a search whose tree, of one game, takes about 2 GiB at most."""
    return min(100_000, (1 << 31) // (BYTES_PER_EDGE * game.num_actions))
