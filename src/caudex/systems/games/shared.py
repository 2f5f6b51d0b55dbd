"""What the systems that learn board games share: the players on the way, and what the last one is worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from caudex.core.disk import parse_tensors, serialize_tensors
from caudex.core.errors import CaudexError
from caudex.core.evaluation import TENTHS, Evaluation
from caudex.core.hardware import available_memory
from caudex.core.learner import Learner
from caudex.core.progress import track
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.specs import GameSpec
from caudex.core.system import System
from caudex.core.weights import distinct_tensors, load_weights
from caudex.envs.boards import Game, check_game, find_game
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.game_strength import elo_curve, opening_moves, strength, summarize_scores, with_simulations
from caudex.evaluation.matches import play_match
from caudex.evaluation.players import ChooseActions, find_player
from caudex.evaluation.plots.game_boards import plot_game
from caudex.evaluation.plots.game_strength import plot_elo_curve, plot_strength
from caudex.models.game_agent import GameAgent

STAGES = (0, *(round(100 * share) for share in TENTHS))
"""percent of the training after which the player is kept; a step that goes past several keeps one"""
OPPONENTS = ("random", "mcts-100")
ELO_GAMES, MATCH_GAMES = 10, 100
SIMULATIONS = 200
"""of a move where it is compared with the truth or with MCTS"""
FEWER_SIMULATIONS = (0, 10, 40)
"""in the figure of strength; 0: the network alone"""


@dataclass
class GameSystem(System):
    """A system that learns a board game. Each brings its `learner`, `agent` and `train`, which keeps players on the way."""

    game: str = "connect-four"
    """tic-tac-toe, connect-four, go-5 to go-19, othello, hex-7, chess, open_spiel:NAME or module:NAME; settings as go-5?komi=24.5"""
    total_positions: int = 400_000
    """positions that are searched in self-play, altogether"""

    spec_type: ClassVar = GameSpec
    accepts: ClassVar = ("games",)
    results_type: ClassVar = result_kinds.GameResults
    measure: ClassVar = "share of optimal moves, or of points"
    statement: ClassVar = "from self-play alone it plays better than a search with 1,000 random rollouts a move"

    def learner(self, spec: GameSpec) -> Learner:
        raise NotImplementedError

    def agent(self, learner: Learner, spec: GameSpec) -> GameAgent:
        raise NotImplementedError

    def model(self, spec: GameSpec) -> GameAgent:
        return self.agent(self.learner(spec), spec)

    def find_game(self) -> tuple[Game, GameSpec]:
        """The game and its spec. Raises CaudexError for one that is unknown or breaks the contract."""
        game = find_game(self.game)
        check_game(game, num_games=8)
        has_ownership = game.ownership(game.initial(1)) is not None
        return game, GameSpec(self.game, game.shape, game.num_actions, game.max_moves, has_ownership)

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"samples": self.total_positions}

    def keep_players(self, run: Run) -> Evaluation:
        return Evaluation(partial(self.keep_player, run=run))

    def keep_player(self, learner: Learner, run: Run) -> dict[str, float]:
        """players/PERCENT.safetensors, of the player as it is now."""
        trunk, signals = learner.averaged
        weights = nn.ModuleDict({"trunk": trunk, "signals": signals}).state_dict()
        share = min(STAGES, key=lambda stage: abs(stage - 100 * learner.progress))
        run.write(player_file(share), serialize_tensors(distinct_tensors(weights)))
        return {}

    def load_player(self, share: int, spec: GameSpec, run: Run) -> GameAgent:
        """The player after that share of its training, in percent."""
        agent, file = self.model(spec), player_file(share)
        content = run.folder.read(file, available_memory())
        if content is None:
            raise CaudexError(f"{run.path / file} is gone; only a new training keeps that player.")
        load_weights(agent, parse_tensors(content, run.path / file))
        return agent.eval()

    def evaluate(self, agent: GameAgent, run: Run) -> GameAgent:
        """Record what the trained player is worth; returns it."""
        game, seed = agent.game, derive_seed(run.seed, "evaluation")
        others = {name: find_player(name, game, seed=seed) for name in OPPONENTS}
        stages = [share for share in STAGES if run.folder.stat(player_file(share))]
        players = {f"{share}%": self.load_player(share, agent.spec, run) for share in stages}
        with run.counting(agent, *players.values()):
            choices = {name: player.choose for name, player in players.items()}
            elo = elo_curve(game, choices, others, ELO_GAMES, seed, silent=run.main.quiet)
            matches = []
            for name, choose in others.items():
                match = play_match(game, (agent.choose, choose), MATCH_GAMES, seed, opening_moves(game), ("it", name))
                matches.append({"opponent": name, **summarize_scores(match.scores)})
            counts = (*FEWER_SIMULATIONS, SIMULATIONS)
            rows = [
                {"simulations": count, **strength(with_simulations(agent, count), game, "mcts-100", MATCH_GAMES, seed)}
                for count in track(counts, "measuring strength", len(counts), silent=run.main.quiet)
            ]
            plot_game(run, agent, SIMULATIONS)
        elo = {name: rating._asdict() for name, rating in elo.items()}
        run.write_json("results", {
            "game": self.game, "simulations": agent.simulations, "matches": matches, "elo": elo, "strength": rows
        })  # fmt: skip
        plot_elo_curve(run, {f"{share}%": share * self.total_positions // 100 for share in STAGES}, elo)
        plot_strength(run, rows)
        return agent

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [(f"{results['game']}, {results['simulations']} simulations", "share", "95% interval", "won-drawn-lost")]
        for match in results["matches"]:
            counts = f"{match['wins']:,}-{match['draws']:,}-{match['losses']:,}"
            rows.append((f"points against {match['opponent']}", *share_cells(match), counts))
        for row in results["strength"]:
            name = f"{row['simulations']} simulations" if row["simulations"] else "network alone"
            rows.append((f"{row['measure']}, {name}", *share_cells(row), ""))
        return rows

    def claim(self, run: Run) -> Claim:
        """With 200 simulations a move: the share of optimal moves in Connect Four, beside MCTS's; elsewhere points against MCTS-1000."""
        agent = self.train(run)
        game, untrained = agent.game, self.load_player(0, agent.spec, run)

        def measure(choose: ChooseActions) -> float:
            return strength(choose, game, "mcts-1000", MATCH_GAMES, run.seed)["share"]

        baselines = {"as good as MCTS-1000": 0.5}
        if game.name == "connect-four":
            baselines = {name: measure(find_player(name, game, seed=run.seed)) for name in ("mcts-1000", "mcts-200")}
        score, control = (measure(with_simulations(player, SIMULATIONS)) for player in (agent, untrained))
        return Claim(self.statement, score, baselines, controls={"untrained network": control})


def player_file(share: int) -> str:
    """In the run's folder, of the player after that share of its training, in percent."""
    return f"players/{share}.safetensors"


def share_cells(row: dict) -> tuple[str, str]:
    return f"{row['share']:.1%}", f"{row['low']:.1%} to {row['high']:.1%}"
