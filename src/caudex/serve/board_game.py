"""The state behind the page of a board: one game of the run against a person, or of two persons, shared by all tabs."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.boards.records import (
    PlayedGame,
    describe_outcome,
    format_games,
    outcome_of_first,
    record_suffix,
)
from caudex.evaluation.players import simulation_limit
from caudex.experience.search.search import SearchResult
from caudex.models.game_agent import GameAgent
from caudex.serve.board_layout import action_cells, board_cells, board_layout, page_sides


class GameConflict(Exception):
    """The game is not as the page showed it: nothing was changed."""


class LastSearch(NamedTuple):
    ply: int
    simulations: int
    result: SearchResult


class BoardGame:
    """`version` counts what was changed: a change names the version that its page showed, and is refused after another one."""

    def __init__(self, agent: GameAgent, name: str):
        self.agent, self.game, self.name = agent, agent.game, name
        self.simulations = agent.simulations
        self.humans = [True, False]  # who of players 0 and 1 is a person
        self.version, self.searches, self.is_thinking = 0, 0, False
        self._searched_version = 0
        self._evaluate, agent.evaluate = agent.evaluate, self._evaluate_unless_stale
        self.earlier: list[PlayedGame] = []  # games before this one
        self._lock, self._search_lock = threading.Lock(), threading.Lock()
        self._layout, self._limit = board_layout(self.game), simulation_limit(self.game)
        self._sides = page_sides(self.game)
        self._begin()

    def stamp(self) -> dict:
        """What differs once there is anything new to see."""
        return {"version": self.version, "searches": self.searches, "thinking": self.is_thinking}

    def describe(self) -> dict:
        """All that the page shows."""
        with self._lock:
            positions = self.positions[-1]
            outcome, player = outcome_of_first(self.game, positions), int(self.game.to_play(positions)[0])
            legal = np.flatnonzero(self.game.legal(positions)[0]).tolist()
            last = [] if not self.moves else action_cells(self.game, self.positions[-2], self.moves[-1])
            return self.stamp() | {
                "layout": self._layout,
                "cells": board_cells(self.game, positions),
                "drawing": "" if self._layout["rows"] else self.game.describe(positions, 0),
                "sides": self._sides,
                "humans": self.humans,
                "to_play": player,
                "over": outcome is not None,
                "outcome": describe_outcome(self.game, positions, self._sides),
                "legal": [self._describe_action(positions, action) for action in legal],
                "moves": self.names,
                "last": [cell for cell in last if cell is not None],
                "search": self._describe_search(),
                "simulations": self.simulations,
                "max_simulations": self._limit,
                "suffix": record_suffix(self.game),
                "games": self.num_games(),
            }

    def play(self, version: int, action: int) -> None:
        """A person's move. Raises GameConflict, and CaudexError where it is not this person's turn or the move is not legal."""
        with self._lock:
            self._check_turn(version)
            legal = self.game.legal(self.positions[-1])[0]
            if not (0 <= action < len(legal) and legal[action]):
                raise CaudexError("that is not a legal move here.")
            self._move(action)

    def play_text(self, version: int, text: str) -> None:
        """A person's move by its name."""
        with self._lock:
            self._check_turn(version)
            self._move(self.game.parse_action(self.positions[-1], 0, text))

    def reply(self, version: int) -> None:
        """The run's move, after a search. Raises GameConflict where the game has changed before the search or during it."""
        self._search(version, moves=True)

    def hint(self, version: int) -> None:
        """A search of the present position, to be shown."""
        self._search(version, moves=False)

    def take_back(self, version: int) -> None:
        """Back to the last position in which a person was to move; where no person plays, or both do, by one move."""
        with self._lock:
            self._check_version(version)
            if not self.moves:
                raise CaudexError("there is no move to take back.")
            ply = len(self.moves) - 1
            while ply > 0 and any(self.humans) and not self._is_human(self.positions[ply]):
                ply -= 1
            del self.moves[ply:], self.names[ply:], self.positions[ply + 1 :]
            self.last_search = None
            self.version += 1

    def begin(self, version: int) -> None:
        """A new game; the record keeps the old one."""
        with self._lock:
            self._check_version(version)
            if self.moves:
                self.earlier.append(self._played())
            self._begin()

    def set_players(self, version: int, humans: list[bool], simulations: int) -> None:
        """Who plays which side, and how long the run searches."""
        with self._lock:
            self._check_version(version)
            if not 1 <= simulations <= self._limit:
                raise CaudexError(
                    f"simulations {simulations:,} are out of range; {self.game.name} takes 1 to {self._limit:,}."
                )
            self.humans, self.simulations = humans, simulations
            self.version += 1

    def close(self) -> None:
        """End a search that is under way."""
        with self._lock:
            self.version += 1

    def record(self) -> str:
        """All games of this page as a file."""
        with self._lock:
            return format_games(self.game, [*self.earlier, self._played()] if self.moves else self.earlier)

    def num_games(self) -> int:
        return len(self.earlier) + bool(self.moves)

    def _begin(self) -> None:
        self.moves: list[int] = []
        self.names: list[str] = []
        self.positions = [self.game.initial(1)]
        self.last_search: LastSearch | None = None
        self.version += 1

    def _played(self) -> PlayedGame:
        first, second = ("human" if human else self.name for human in self.humans)
        return PlayedGame((first, second), list(self.moves))

    def _is_human(self, positions) -> bool:
        return self.humans[int(self.game.to_play(positions)[0])]

    def _check_version(self, version: int) -> None:
        if version != self.version:
            raise GameConflict

    def _check_turn(self, version: int) -> None:
        self._check_version(version)
        self._check_not_over()
        if not self._is_human(self.positions[-1]):
            raise CaudexError("it is the run's turn; wait for its move, or take your last one back.")

    def _check_not_over(self) -> None:
        if outcome_of_first(self.game, self.positions[-1]) is not None:
            raise CaudexError("the game is over; begin a new one, or take a move back.")

    def _move(self, action: int) -> None:
        positions = self.positions[-1]
        self.names.append(self.game.action_name(positions, 0, action))
        self.moves.append(action)
        self.positions.append(self.game.apply(positions, np.array([action])))
        self.version += 1

    def _search(self, version: int, moves: bool) -> None:
        with self._search_lock:
            with self._lock:
                self._check_version(version)
                self._check_not_over()
                positions, simulations = self.positions[-1], self.simulations
                if moves and self._is_human(positions):
                    raise CaudexError("it is your turn.")
                self.is_thinking, self._searched_version = True, version
            try:  # the other tabs go on meanwhile
                result = self.agent.search(positions, simulations=simulations)
            finally:
                self.is_thinking = False
            with self._lock:
                self._check_version(version)
                self.last_search = LastSearch(len(self.moves), simulations, result)
                self.searches += 1
                if moves:
                    self._move(int(result.actions[0]))

    def _evaluate_unless_stale(self, planes):
        """Of the agent; raises GameConflict once the game has changed, so that nobody waits for a search in vain."""
        if self.version != self._searched_version:
            raise GameConflict
        return self._evaluate(planes)

    def _describe_action(self, positions, action: int) -> dict:
        source, target = action_cells(self.game, positions, action)
        name = self.game.action_name(positions, 0, action)
        return {"action": action, "name": name, "source": source, "target": target}

    def _describe_search(self) -> dict | None:
        """The visits of the last search, most first, and the chance of who was to move: a draw counts half."""
        if self.last_search is None:
            return None
        ply, simulations, result = self.last_search
        positions, visits = self.positions[ply], result.visits[0]
        order = [action for action in np.argsort(-visits, kind="stable").tolist() if visits[action]]
        rows = [self._describe_action(positions, action) | {"visits": int(visits[action])} for action in order]
        player = int(self.game.to_play(positions)[0])
        chance = (float(result.values[0]) + 1) / 2
        return {"ply": ply, "simulations": simulations, "player": player, "chance": chance, "actions": rows}
