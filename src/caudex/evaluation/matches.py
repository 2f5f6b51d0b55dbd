"""Matches of two players of a board game: all games side by side, sides swapped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.envs.boards import Game, random_actions, select
from caudex.evaluation.players import ChooseActions


class MatchResult(NamedTuple):
    """G games of two players: games 0, 2, 4, ... were begun by the first of them, the others by the second."""

    names: tuple[str, str]
    scores: np.ndarray  # float64 [G], of the first of the two: 1 for a win, 0.5 for a draw, 0
    moves: list[np.ndarray]  # int64 [moves] of each game, the random opening among them

    def rows(self) -> list[tuple[str, str, float]]:
        """(player, opponent, score of the player), as `elo_ratings` takes them."""
        return [(*self.names, score) for score in self.scores.tolist()]

    def of_side(self, side: int) -> np.ndarray:
        """float64 [G / 2]: the scores of the first of the two in the games that it began (side 0), or did not (1)."""
        return self.scores[side::2]

    def num_different(self) -> int:
        """Games that are no repetition of another."""
        return len({tuple(moves.tolist()) for moves in self.moves})


def play_match(
    game: Game,
    players: tuple[ChooseActions, ChooseActions],
    games: int,
    seed: int = 0,
    opening_moves: int = 0,
    names: tuple[str, str] = ("player", "opponent"),
) -> MatchResult:
    """Play an even number of `games`; each player is asked once a move for all games in which it is to move.

    The two games of a pair begin with the same `opening_moves` random moves and have sides swapped. Players that draw nothing at
    random need these: else they repeat one game. Raises CaudexError for an odd number of games, and for a move that is not legal.
    """
    if games < 2 or games % 2:
        raise CaudexError(f"a match of {games} games cannot swap sides fairly; give an even number, from 2.")
    starts, moves = random_openings(game, games // 2, opening_moves, np.random.default_rng(derive_seed(seed, "match")))
    positions = select(starts, np.repeat(np.arange(games // 2), 2))
    moves = [list(opening) for opening in moves for _ in range(2)]
    scores, rows = np.empty(games), np.arange(games)
    while len(rows):
        # of an even game player 0 is the first of the two, of an odd game the second
        who = game.to_play(positions) ^ (rows % 2)
        actions = ask_players(game, players, names, positions, who)
        for row, action in zip(rows, actions.tolist()):
            moves[row].append(action)
        positions = game.apply(positions, actions)
        is_over, values = game.outcome(positions)
        sign = np.where(game.to_play(positions) ^ (rows % 2) == 0, 1, -1)
        scores[rows[is_over]] = (np.sign(values * sign)[is_over] + 1) / 2
        rows, positions = rows[~is_over], select(positions, ~is_over)
    return MatchResult(names, scores, [np.array(game_moves, np.int64) for game_moves in moves])


def random_openings(game: Game, count: int, length: int, generator: np.random.Generator):
    """Positions after `length` random moves, and these moves; games that end before are begun anew."""
    positions, moves = game.initial(count), np.zeros((count, length), np.int64)
    open_rows, attempts = np.arange(count if length else 0), 0
    while len(open_rows):
        trial = game.initial(len(open_rows))
        for ply in range(length):
            actions = random_actions(game.legal(trial), generator)
            moves[open_rows, ply] = actions
            trial = game.apply(trial, actions)
        for field, part in zip(positions, trial):
            field[open_rows] = part
        open_rows = open_rows[game.outcome(trial)[0]]
        attempts += 1
        if attempts == 100:
            raise CaudexError(f"{length} random moves end nearly every game of {game.name}; take a shorter opening.")
    return positions, moves.tolist()


def ask_players(
    game: Game, players: tuple[ChooseActions, ChooseActions], names: tuple[str, str], positions, who
) -> np.ndarray:
    """int64 [B]: of row b the action that player `who[b]` chooses."""
    actions = np.zeros(len(who), np.int64)
    for number, (choose, name) in enumerate(zip(players, names)):
        rows = np.flatnonzero(who == number)
        if not len(rows):
            continue
        actions[rows] = choose(select(positions, rows))
        legal = game.legal(select(positions, rows))
        is_legal = (actions[rows] >= 0) & (actions[rows] < game.num_actions)
        is_legal &= legal[np.arange(len(rows)), np.where(is_legal, actions[rows], 0)]
        if not is_legal.all():
            bad = int(actions[rows][~is_legal][0])
            raise CaudexError(f"{name} chose action {bad}, which is not a legal move of {game.name}.")
    return actions
