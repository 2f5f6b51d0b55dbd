"""Random games, beside OpenSpiel and beside slow rules of Go."""

import os

import numpy as np
import pyspiel

from caudex.envs.boards import random_actions

NUM_GAMES = int(os.environ.get("CAUDEX_RANDOM_GAMES", "1000"))
"""10,000 were played with CAUDEX_RANDOM_GAMES=10000"""
BATCH = 100


def random_positions(game, num_games=64, seed=0):
    """The positions of random games after each move, until all are over."""
    rng = np.random.default_rng(seed)
    positions = game.initial(num_games)
    while True:
        yield positions
        if game.outcome(positions)[0].all():
            return
        positions = game.apply(positions, random_actions(game.legal(positions), rng))


def compare_with_open_spiel(game, short_name, parameters, num_games):
    """Play random games in both; the number of moves that OpenSpiel allows and then ends the game for, as Go's superko."""
    rng, refused = np.random.default_rng(1), 0
    rules = pyspiel.load_game(short_name, parameters)
    for _ in range(num_games // BATCH):
        positions, states = game.initial(BATCH), [rules.new_initial_state() for _ in range(BATCH)]
        while True:
            legal, player = game.legal(positions), game.to_play(positions)
            is_over, value = game.outcome(positions)
            assert is_over.tolist() == [state.is_terminal() for state in states]
            for row, state in enumerate(states):
                if is_over[row]:
                    assert value[row] == state.player_return(int(player[row]))
                    continue
                assert player[row] == state.current_player()
                ours, theirs = np.flatnonzero(legal[row]).tolist(), state.legal_actions()
                if ours != theirs:
                    assert set(ours) < set(theirs)
                    children = [state.child(action) for action in set(theirs) - set(ours)]
                    assert all(child.is_terminal() and child.returns() == [0, 0] for child in children)
                    refused += len(children)
            if is_over.all():
                break
            actions = random_actions(legal, rng)
            for row in np.flatnonzero(~is_over):
                states[row].apply_action(int(actions[row]))
            positions = game.apply(positions, actions)
    return refused


class SlowGo:
    """One game of Go from its rules' words: boards are tuples, and all earlier ones are kept."""

    def __init__(self, size):
        self.size, self.board, self.seen, self.color = size, (0,) * size**2, {(0,) * size**2}, 1

    def near(self, point):
        y, x = divmod(point, self.size)
        places = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        return [v * self.size + u for v, u in places if 0 <= v < self.size and 0 <= u < self.size]

    def reach(self, board, point):
        """The group of the point, and the colours that it touches."""
        group, edge = {point}, [point]
        touched = set()
        while edge:
            for other in self.near(edge.pop()):
                if board[other] != board[point]:
                    touched.add(board[other])
                elif other not in group:
                    group.add(other)
                    edge.append(other)
        return group, touched

    def after(self, point):
        """The board after a stone on the point; None where that is not allowed."""
        if self.board[point]:
            return None
        board = list(self.board)
        board[point] = self.color
        for other in self.near(point):
            if board[other] == 3 - self.color:
                group, touched = self.reach(board, other)
                if 0 not in touched:
                    for stone in group:
                        board[stone] = 0
        if 0 not in self.reach(board, point)[1]:
            return None
        return None if tuple(board) in self.seen else tuple(board)

    def legal(self):
        return [self.after(point) is not None for point in range(self.size**2)] + [True]

    def apply(self, action):
        if action < self.size**2:
            self.board = self.after(action)
            self.seen.add(self.board)
        self.color = 3 - self.color

    def score(self):
        """Black's points minus White's."""
        owners = {1: 1, 2: -1}
        touched = [self.reach(self.board, p)[1] if self.board[p] == 0 else {self.board[p]} for p in range(self.size**2)]
        return sum(owners[min(colors)] for colors in touched if len(colors) == 1)
