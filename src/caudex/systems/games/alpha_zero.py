"""alpha-zero: a board game from self-play alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from torch import nn
from torch.optim import SGD, AdamW

from caudex.core.disk import parse_tensors, serialize_tensors
from caudex.core.evaluation import Evaluation
from caudex.core.fit import fit
from caudex.core.hardware import available_memory
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.specs import GameSpec
from caudex.core.system import System
from caudex.core.weights import distinct_tensors, load_weights
from caudex.envs.boards import check_game, find_game
from caudex.evaluation import result_kinds
from caudex.evaluation.baselines.uct import UCT
from caudex.evaluation.claim import Claim
from caudex.evaluation.game_strength import elo_curve, opening_moves, optimal_moves, summarize_match
from caudex.evaluation.matches import play_match
from caudex.evaluation.optimal_moves import optimal_share, packaged_positions
from caudex.evaluation.players import find_player
from caudex.evaluation.plots.elo_curve import plot_elo_curve
from caudex.evaluation.plots.game_boards import plot_game
from caudex.experience.game_window import GameWindow
from caudex.experience.self_play import Games, SelfPlay, SelfPlayGames, SelfPlaySettings
from caudex.experience.self_play_workers import SelfPlayWorkers
from caudex.models.game_agent import GameAgent
from caudex.signals.game_value import GameValue
from caudex.signals.search_policy import SearchPolicy
from caudex.trunks.residual_tower import ResidualTower

STAGES = range(0, 101, 10)
"""percent of the training after which the player is kept"""
OPPONENTS = ("random", "mcts-100")
ELO_GAMES, MATCH_GAMES = 10, 100
SIMULATIONS = 200
"""of a move where it is compared with the truth or with MCTS"""
OPTIMAL = {"optimal_moves": f"{SIMULATIONS} simulations", "optimal_moves_without_search": "the network alone"}
OPTIMIZERS = {"adamw": AdamW, "sgd": partial(SGD, momentum=0.9)}


@dataclass
class AlphaZero(System):
    """A board game, and nobody to learn it from: a network plays against itself and learns what its search found (Silver et al. 2018).

    `caudex play RUN --opponent human` plays against it, `caudex serve RUN` shows a board.
    """

    game: str = "connect-four"
    """tic-tac-toe, connect-four, go-5 to go-19, othello, hex-7, chess, open_spiel:NAME or module:NAME; settings as go-5?komi=24.5"""
    total_positions: int = 400_000
    """positions that are searched in self-play, altogether"""
    steps: int | None = None
    """stop after so many optimiser steps, where that comes first"""
    simulations: int = 32
    """of a search, for each move"""
    search: Literal["gumbel", "puct"] = "gumbel"
    """gumbel: sequential halving of moves drawn without replacement (Danihelka et al. 2022), good with few simulations; puct, as published"""
    num_games: int = 64
    """games side by side: the network sees so many positions at once"""
    actors: int = 0
    """processes that play, each so many games, while this one learns; 0: this one plays, then learns, and resumes bit for bit"""
    sampling_moves: int = 30
    """by puct: so many moves of a game are drawn by their visits, later ones are the most visited"""
    opening_moves: int = 4
    """a game begins with up to so many random moves, so that more of the game is seen"""
    value_mix: float = 0.5
    """share of the search's value in the target of the value; the rest is the outcome"""
    window: int = 200_000
    """positions that are kept; sampled are the later half of those that came"""
    reuse: float = 4.0
    """how often each position is sampled, on average"""
    batch: int = 256
    """positions of an optimiser step"""
    width: int = 32
    """channels of the trunk"""
    depth: int = 4
    """residual blocks of the trunk"""
    lr: float = 2e-3
    """learning rate at first; it falls to a tenth"""
    weight_decay: float = 1e-4
    """by adamw decoupled from the gradient; normalisation and biases are not decayed"""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """sgd has momentum 0.9, as published"""

    spec_type: ClassVar = GameSpec
    accepts: ClassVar = ("games",)
    results_type: ClassVar = result_kinds.GameResults
    measure: ClassVar = "share of optimal moves, or of points"
    statement: ClassVar = "from self-play alone it plays better than a search with 1,000 random rollouts a move"
    scales: ClassVar = {
        "tiny": {"game": "tic-tac-toe", "total_positions": 2_000, "simulations": 8, "num_games": 16, "batch": 64, "width": 8, "depth": 1},
        # Silver et al. 2018, methods and pseudocode: 44 million games of chess, of which each position is sampled about once
        "paper": {
            "game": "chess", "total_positions": 3_500_000_000, "simulations": 800, "search": "puct", "opening_moves": 0,
            "value_mix": 0.0, "window": 100_000_000, "reuse": 1.0, "batch": 4096, "width": 256, "depth": 19,
            "optimizer": "sgd", "lr": 0.2,
        },
    }  # fmt: skip

    def train(self, run: Run) -> GameAgent:
        game = find_game(self.game)
        check_game(game, num_games=8)
        spec = GameSpec(
            self.game, game.shape, game.num_actions, game.max_moves, game.ownership(game.initial(1)) is not None
        )
        with run.seeded("weights"):
            learner = self.learner(spec)
        window = GameWindow(game, self.window)
        run.write_spec(spec)
        keep_stage(learner, run)
        evaluate = [Evaluation(partial(keep_stage, run=run))]
        with self.games(learner, spec, run) as games:
            source = SelfPlay(games, window, self.batch, self.reuse, run.source_seed("window"))
            sources = dict.fromkeys(learner.signals, source)
            fit(learner, sources, **self.budget(1.0), run=run.stage("training"), evaluate=evaluate)
        return self.evaluate(self.agent(learner, spec), run)

    def learner(self, spec: GameSpec) -> Learner:
        policy, value = SearchPolicy(spec.num_actions, spec.shape), GameValue(spec.shape)
        signals = self.with_extra_signals({"search-policy": policy, "game-value": value}, spec)
        optimizer = partial(OPTIMIZERS[self.optimizer], lr=self.lr, weight_decay=self.weight_decay)
        trunk = ResidualTower(spec.shape[0], self.width, self.depth)
        return Learner(trunk, signals, optimizer, lambda progress: 1 - 0.9 * progress)

    def games(self, learner: Learner, spec: GameSpec, run: Run) -> AbstractContextManager[Games]:
        """Games in this process, or in those of the actors."""
        seed = run.source_seed("self-play")
        if not self.actors:
            return nullcontext(SelfPlayGames(find_game(spec.game), learner, self.self_play_settings(), seed))
        return SelfPlayWorkers(learner, partial(make_games, self, spec), self.actors, seed)

    def self_play_settings(self) -> SelfPlaySettings:
        return SelfPlaySettings(
            self.num_games, self.simulations, self.search, self.sampling_moves, self.opening_moves, self.value_mix
        )

    def evaluate(self, agent: GameAgent, run: Run) -> GameAgent:
        """Record what the trained player is worth, with the searches of its training; returns it."""
        game, seed = agent.game, derive_seed(run.seed, "evaluation")
        others = {name: find_player(name, game, seed=seed) for name in OPPONENTS}
        stages = {f"{share}%": self.load_stage(share, agent.spec, run) for share in STAGES}
        results: dict[str, Any] = {"game": self.game, "simulations": self.simulations}
        with run.counting(agent, *stages.values()):
            players = {name: stage.choose for name, stage in stages.items()}
            elo = elo_curve(game, players, others, ELO_GAMES, seed, silent=run.main.quiet)
            matches = [
                play_match(game, (agent.choose, others[name]), MATCH_GAMES, seed, opening_moves(game), ("it", name))
                for name in OPPONENTS
            ]
            if game.name == "connect-four":
                solved = packaged_positions()
                results["optimal_moves"] = optimal_moves(agent, solved, SIMULATIONS)
                results["optimal_moves_without_search"] = optimal_moves(agent, solved, None)
            plot_game(run, agent, SIMULATIONS)
        results |= {
            "matches": [summarize_match(match) for match in matches],
            "elo": {name: r._asdict() for name, r in elo.items()},
        }
        run.write_json("results", results)
        plot_elo_curve(run, {f"{share}%": share * self.total_positions // 100 for share in STAGES}, results["elo"])
        return agent

    def load_stage(self, share: int, spec: GameSpec, run: Run) -> GameAgent:
        """The player after that share of its training."""
        agent, file = self.model(spec), f"players/{share}.safetensors"
        load_weights(agent, parse_tensors(run.folder.read(file, available_memory()) or b"", run.path / file))
        return agent.eval()

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [
            (
                f"{results['game']}, {results['simulations']} simulations a move",
                "points a game",
                "95% interval",
                "wins",
                "draws",
                "losses",
            )
        ]
        for match in results["matches"]:
            interval = f"{match['low']:.1%} to {match['high']:.1%}"
            counts = (f"{match[name]:,}" for name in ("wins", "draws", "losses"))
            rows.append(
                (f"against {match['opponent']}, {match['games']} games", f"{match['points']:.1%}", interval, *counts)
            )
        for key, name in OPTIMAL.items():
            if share := results.get(key, {}).get("all"):
                interval = f"{share['low']:.1%} to {share['high']:.1%}"
                rows.append((f"optimal moves, {name}", f"{share['share']:.1%}", interval, "", "", ""))
        return rows

    def claim(self, run: Run) -> Claim:
        """With 200 simulations a move: the share of optimal moves in Connect Four, beside MCTS's; elsewhere points against MCTS-1000."""
        agent = self.train(run)
        untrained = self.load_stage(0, agent.spec, run)
        if agent.game.name == "connect-four":
            solved = packaged_positions()
            score, control = (
                optimal_moves(player, solved, SIMULATIONS)["all"]["share"] for player in (agent, untrained)
            )
            baselines = {f"MCTS-{n:,}": optimal_share(UCT(n, seed=run.seed), solved)["all"].share for n in (1000, 200)}
            return Claim(self.statement, score, baselines, controls={"untrained network": control})
        opponent, scores = find_player("mcts-1000", agent.game, seed=run.seed), []
        for player in (agent, untrained):
            player.simulations = SIMULATIONS
            match = play_match(agent.game, (player.choose, opponent), MATCH_GAMES, run.seed, opening_moves(agent.game))
            scores.append(float(match.scores.mean()))
        return Claim(
            self.statement, scores[0], {"as good as MCTS-1000": 0.5}, controls={"untrained network": scores[1]}
        )

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"samples": self.total_positions}

    def agent(self, learner: Learner, spec: GameSpec) -> GameAgent:
        return GameAgent(learner, spec, self.simulations, self.search)

    def model(self, spec: GameSpec) -> GameAgent:
        return self.agent(self.learner(spec), spec)

    def check(self) -> None:
        super().check()
        inf = float("inf")
        check_range(
            self,
            total_positions=(1, inf),
            simulations=(1, 1 << 16),
            num_games=(1, 1 << 16),
            actors=(0, 1000),
            batch=(1, 1 << 20),
        )
        check_range(self, sampling_moves=(0, inf), opening_moves=(0, 1 << 16), value_mix=(0, 1), window=(1, 1 << 40))
        check_range(self, reuse=(1e-3, 1e3), width=(1, 1 << 14), depth=(1, 1000), lr=(1e-8, 10), weight_decay=(0, 1))


def keep_stage(learner: Learner, run: Run) -> dict[str, float]:
    """players/PERCENT.safetensors, of the player as it is now."""
    trunk, signals = learner.averaged
    weights = nn.ModuleDict({"trunk": trunk, "signals": signals}).state_dict()
    share = round(100 * learner.progress / 10) * 10
    run.write(f"players/{share}.safetensors", serialize_tensors(distinct_tensors(weights)))
    return {}


def make_games(system: AlphaZero, spec: GameSpec, seed: int) -> SelfPlayGames:
    """The games of an actor, and its own learner."""
    return SelfPlayGames(find_game(spec.game), system.learner(spec), system.self_play_settings(), seed)
