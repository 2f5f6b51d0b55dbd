"""Games that a network plays against itself, searching for each move (Silver et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypedDict

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import PassCounter
from caudex.core.learner import Learner
from caudex.core.source import Source
from caudex.core.typed_json import Amount, Count, check_kind
from caudex.envs.boards.game import Game, Position, select, where
from caudex.experience.game_window import FinishedGame, GameBatch, GameWindow
from caudex.experience.generator_state import load_generator, save_generator
from caudex.experience.search.network import network_evaluation
from caudex.experience.search.search import Search


class SelfPlaySettings(NamedTuple):
    """How games are played."""

    num_games: int  # side by side
    simulations: int  # of a move
    search: Literal["gumbel", "puct"]
    sampling_moves: int  # by puct: so many moves of a game are drawn by their visits, later ones are the most visited
    opening_moves: int  # half of all games begin with up to so many random moves
    value_mix: float  # share of the search's value in the target; the rest is the outcome


@dataclass
class GameInProgress:
    """The actions of a game so far, and of those that were searched for what the player saw and the search said."""

    actions: list[int] = field(default_factory=list)
    policies: list[np.ndarray] = field(default_factory=list)  # [A] each
    values: list[float] = field(default_factory=list)
    seen: list[tuple] = field(default_factory=list)  # (planes, legal, player)


class Games(Protocol):
    """What plays: this process, or others."""

    flops: float
    inexact_reason: str | None

    def play(self) -> list[FinishedGame]: ...
    def state_dict(self) -> dict: ...
    def load_state_dict(self, state: dict) -> None: ...


class GamesState(TypedDict):
    actions: list[list[Count]]  # of each game
    num_searched: list[Count]  # of them, the last
    policies: Tensor  # float32 [sum of these, A]
    values: Tensor  # float64 [sum of these]
    rng: str
    flops: Amount


class SelfPlayGames:
    """`num_games` side by side, of which each gets one move by `play`; where one ends the next begins."""

    inexact_reason = None

    def __init__(self, game: Game, learner: Learner, settings: SelfPlaySettings, seed: int):
        self.game, self.learner, self.settings = game, learner, settings
        self.rng, self.pass_counter = np.random.default_rng(seed), PassCounter()
        self.games = [GameInProgress() for _ in range(settings.num_games)]
        self.positions = self._begin(np.arange(settings.num_games))

    @property
    def flops(self) -> float:
        return self.pass_counter.flops

    def play(self) -> list[FinishedGame]:
        """One move in every game; returns those that it ended."""
        game, positions, settings = self.game, self.positions, self.settings
        result = self._search(positions)
        seen = game.planes(positions), game.legal(positions), game.to_play(positions)
        actions = result.actions.copy()
        for row, progress in enumerate(self.games):
            if settings.search == "puct" and len(progress.values) < settings.sampling_moves:
                actions[row] = self.rng.choice(game.num_actions, p=result.visits[row] / result.visits[row].sum())
            progress.actions.append(int(actions[row]))
            progress.policies.append(result.policy[row])
            progress.values.append(float(result.values[row]))
            progress.seen.append(tuple(part[row] for part in seen))
        self.positions = game.apply(positions, actions)
        over = np.flatnonzero(game.outcome(self.positions)[0])
        if not len(over):
            return []
        finished = finish_games(
            game, select(self.positions, over), [self.games[row] for row in over], settings.value_mix
        )
        fresh = self._begin(over)
        for old, new in zip(self.positions, fresh):
            old[over] = new
        return finished

    def _search(self, positions: Position):
        learner = self.learner
        trunk, signals = learner.averaged
        learner.eval()
        evaluate = network_evaluation(trunk, signals)

        def counted(planes):
            with self.pass_counter.count_pass("search", learner, len(planes)):
                return evaluate(planes)

        search = Search(self.game, counted, self.settings.simulations, self.settings.search, generator=self.rng)
        result = search.run(positions)
        learner.train()
        return result

    def _begin(self, rows: np.ndarray) -> Position:
        """New games in these rows, after some random moves, none of which ends a game."""
        game, opening_moves = self.game, self.settings.opening_moves
        positions, lengths = game.initial(len(rows)), self.rng.integers(0, opening_moves + 1, len(rows))
        lengths[self.rng.random(len(rows)) < 0.5] = 0
        for row in rows:
            self.games[row] = GameInProgress()
        for move in range(lengths.max(initial=0)):
            actions = (game.legal(positions) * self.rng.random((len(rows), game.num_actions))).argmax(1)
            after = game.apply(positions, actions)
            goes_on = (move < lengths) & ~game.outcome(after)[0]
            positions = where(goes_on, after, positions)
            for number in np.flatnonzero(goes_on):
                self.games[rows[number]].actions.append(int(actions[number]))
        return positions

    def state_dict(self) -> dict:
        games = self.games
        policies = np.concatenate([np.array(game.policies).reshape(-1, self.game.num_actions) for game in games])
        return {
            "actions": [game.actions for game in games], "num_searched": [len(game.values) for game in games],
            "policies": torch.from_numpy(policies.astype(np.float32)),
            "values": torch.tensor([value for game in games for value in game.values], dtype=torch.float64),
            "rng": save_generator(self.rng), "flops": self.flops,
        }  # fmt: skip

    def load_state_dict(self, state: dict) -> None:
        """The games are played again up to where they were. Raises ValueError for moves that are not of this game."""
        check_kind(state, GamesState)
        counts, policies, values = state["num_searched"], state["policies"].numpy(), state["values"].tolist()
        if not len(self.games) == len(state["actions"]) == len(counts):
            raise ValueError(f"{len(state['actions'])} games, not {len(self.games)}")
        if policies.shape != (sum(counts), self.game.num_actions) or len(values) != sum(counts):
            raise ValueError(f"{policies.shape} policies and {len(values)} values of {sum(counts)} moves")
        self.pass_counter.flops = state["flops"]
        load_generator(self.rng, state["rng"])
        positions, first = [], 0
        for row, (actions, count) in enumerate(zip(state["actions"], counts)):
            last = first + count
            position, seen = self._replay(actions, count)
            self.games[row] = GameInProgress(list(actions), [*policies[first:last]], values[first:last], seen)
            positions.append(position)
            first = last
        self.positions = type(positions[0])(*(np.concatenate(parts) for parts in zip(*positions)))

    def _replay(self, actions: list[int], num_searched: int) -> tuple[Position, list[tuple]]:
        """The position after these actions, and what was seen before the last of them."""
        game, position, seen = self.game, self.game.initial(1), []
        for number, action in enumerate(actions):
            legal = game.legal(position)
            if not (action < game.num_actions and legal[0, action]):
                raise ValueError(f"action {action} is not legal")
            if number >= len(actions) - num_searched:
                seen.append((game.planes(position)[0], legal[0], game.to_play(position)[0]))
            position = game.apply(position, np.array([action]))
        if len(seen) != num_searched or game.outcome(position)[0][0]:
            raise ValueError(f"a game of {len(actions)} moves that is over, or {num_searched} of them")
        return position, seen


def finish_games(game: Game, ends: Position, games: Iterable[GameInProgress], value_mix: float) -> list[FinishedGame]:
    """What is learned from games that ended in these positions."""
    (_, outcomes), last_players, ownership = game.outcome(ends), game.to_play(ends), game.ownership(ends)
    finished = []
    for row, progress in enumerate(games):
        planes, legal, players = map(np.array, zip(*progress.seen))
        value = np.where(players == last_players[row], outcomes[row], -outcomes[row])
        value = (1 - value_mix) * value + value_mix * np.array(progress.values)
        if ownership is None:
            owners = np.zeros((len(players), *game.shape[1:]), np.int8)
        else:
            owners = np.where(players[:, None, None] == 0, ownership[row], -ownership[row])
        first_player = outcomes[row] if last_players[row] == 0 else -outcomes[row]
        policies, value = np.array(progress.policies), value.astype(np.float32)
        finished.append(FinishedGame(planes, legal, policies, value, owners, float(first_player)))
    return finished


class SelfPlayState(TypedDict):
    games: dict
    window: dict
    rng: str
    samples_seen: Count
    credit: Amount
    outcomes: list[tuple[int, float]]


class SelfPlay(Source):
    """Batches of positions of finished games, as many that each position is seen `reuse` times on average.

    `samples_seen` counts positions that were searched. The network is that of the learner at each moment.
    """

    sample_unit = "positions"

    def __init__(self, games: Games, window: GameWindow, batch: int, reuse: float, seed: int):
        self.games, self.window, self.batch, self.reuse = games, window, batch, reuse
        self.rng = np.random.default_rng(seed)
        self.samples_seen, self.credit = 0, 0.0  # positions that may still be sampled
        self.outcomes: list[tuple[int, float]] = []  # (length, outcome for who began) of games since `metrics`

    @property
    def flops(self) -> float:
        return self.games.flops

    @property
    def inexact_reason(self) -> str | None:
        return self.games.inexact_reason

    def __next__(self) -> GameBatch:
        while self.credit < self.batch:
            for game in self.games.play():
                self.window.add(game)
                self.samples_seen += len(game.value)
                self.credit += self.reuse * len(game.value)
                self.outcomes.append((len(game.value), game.outcome))
        self.credit -= self.batch
        return self.window.sample(self.batch, self.rng)

    def metrics(self) -> dict[str, float]:
        """Of the games that ended since the last call: moves, and the shares that who began won and that were drawn."""
        outcomes, self.outcomes = self.outcomes, []
        if not outcomes:
            return {}
        lengths, results = map(np.array, zip(*outcomes))
        shares = {
            "games/moves": lengths.mean(),
            "games/first player wins": (results > 0).mean(),
            "games/draws": (results == 0).mean(),
        }
        return {name: float(share) for name, share in shares.items()}

    def state_dict(self) -> dict:
        return {
            "games": self.games.state_dict(), "window": self.window.state_dict(), "rng": save_generator(self.rng),
            "samples_seen": self.samples_seen, "credit": self.credit, "outcomes": [list(pair) for pair in self.outcomes],
        }  # fmt: skip

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, SelfPlayState)
        self.games.load_state_dict(state["games"])
        self.window.load_state_dict(state["window"])
        load_generator(self.rng, state["rng"])
        self.samples_seen, self.credit = state["samples_seen"], state["credit"]
        self.outcomes = [tuple(pair) for pair in state["outcomes"]]
