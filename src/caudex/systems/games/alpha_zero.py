"""alpha-zero: a board game from self-play alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from torch.optim import SGD, AdamW

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import GameSpec
from caudex.envs.boards import find_game
from caudex.experience.game_window import GameWindow
from caudex.experience.self_play import Games, SelfPlay, SelfPlayGames, SelfPlaySettings
from caudex.experience.self_play_workers import SelfPlayWorkers
from caudex.models.game_agent import GameAgent
from caudex.signals.game_value import GameValue
from caudex.signals.search_policy import SearchPolicy
from caudex.systems.games.shared import GameSystem
from caudex.trunks.residual_tower import ResidualTower

OPTIMIZERS = {"adamw": AdamW, "sgd": partial(SGD, momentum=0.9)}


@dataclass
class AlphaZero(GameSystem):
    """A board game, and nobody to learn it from: a network plays against itself and learns what its search found (Silver et al. 2018).

    `caudex play RUN --opponent human` plays against it, `caudex serve RUN` shows a board.
    """

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
    opening_moves: int = 20
    """half of all games begin with up to so many random moves, so that more of the game is seen"""
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
        game, spec = self.find_game()
        with run.seeded("weights"):
            learner = self.learner(spec)
        window = GameWindow(game, self.window)
        run.write_spec(spec)
        self.keep_player(learner, run)
        with self.games(learner, spec, run) as games:
            source = SelfPlay(games, window, self.batch, self.reuse, run.source_seed("window"))
            sources = dict.fromkeys(learner.signals, source)
            fit(learner, sources, **self.budget(1.0), run=run.stage("training"), evaluate=[self.keep_players(run)])
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

    def agent(self, learner: Learner, spec: GameSpec) -> GameAgent:
        return GameAgent(learner, spec, self.simulations, self.search)

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


def make_games(system: AlphaZero, spec: GameSpec, seed: int) -> SelfPlayGames:
    """The games of an actor, and its own learner."""
    return SelfPlayGames(find_game(spec.game), system.learner(spec), system.self_play_settings(), seed)
