"""What is sampled are positions that were played, whole, in any of the game's symmetries."""

import numpy as np
import pytest
import torch
from helpers.board_games import Noughts

from caudex.core.errors import CaudexError
from caudex.envs.boards import board_symmetries, find_game
from caudex.experience.game_window import FinishedGame, GameWindow


class SquareNoughts(Noughts):
    def symmetries(self):
        return board_symmetries(np.arange(9).reshape(3, 3), 9)


def numbered_game(number, length, game):
    """The planes, the policy and the owner mark the same place of the board; the value is the game's number."""
    places = (number + np.arange(length)) % 9
    board = np.eye(9, dtype=np.uint8)[places]
    planes = np.stack([board, np.zeros_like(board)], 1).reshape(-1, *game.shape)
    owners = board.reshape(-1, 3, 3).astype(np.int8)
    values = np.full(length, number, np.float32)
    return FinishedGame(planes, board.astype(bool), board.astype(np.float32), values, owners, 1.0)


def test_planes_policy_and_owners_are_turned_together():
    game = SquareNoughts()
    window = GameWindow(game, 100)
    for number in range(4):
        window.add(numbered_game(number, 5, game))
    batch = window.sample(500, np.random.default_rng(0))
    board = batch.planes[:, 0].flatten(1).float()
    assert (batch.policy == board).all() and (batch.legal == board.bool()).all()
    assert (batch.ownership.flatten(1).float() == board).all()
    assert len(set(board.argmax(1).tolist())) > 5  # more places than were played


def test_the_next_policy_is_that_of_the_same_game():
    game = Noughts()
    window = GameWindow(game, 7)  # the ring is overwritten in the middle of games
    for number in range(5):
        window.add(numbered_game(number, 3, game))
    batch = window.sample(200, np.random.default_rng(1))
    for policy, next_policy, left in zip(batch.policy, batch.next_policy, batch.moves_left.tolist()):
        assert next_policy.sum() == (left > 1)
        if left > 1:
            assert next_policy.argmax() == (policy.argmax() + 1) % 9


def test_the_later_half_is_sampled_and_no_more_than_the_window():
    window = GameWindow(Noughts(), 40)
    for number in range(8):
        window.add(numbered_game(number, 5, Noughts()))
        values = set(window.sample(300, np.random.default_rng(2)).value.tolist())
        assert values == set(range((number + 1) // 2, number + 1))
    for number in range(8, 40):
        window.add(numbered_game(number, 5, Noughts()))
    assert set(window.sample(500, np.random.default_rng(3)).value.tolist()) == set(range(32, 40))


def test_it_goes_on_from_its_state_and_refuses_another_games():
    window, other = GameWindow(Noughts(), 12), GameWindow(Noughts(), 12)
    for number in range(5):
        window.add(numbered_game(number, 3, Noughts()))
    state = window.state_dict()
    window.add(numbered_game(5, 3, Noughts()))  # the state does not change with it
    other.load_state_dict(state)
    other.add(numbered_game(5, 3, Noughts()))
    first, second = (w.sample(50, np.random.default_rng(4)) for w in (window, other))
    assert all(torch.equal(*parts) for parts in zip(first, second))
    with pytest.raises(ValueError, match="positions"):
        GameWindow(find_game("connect-four"), 12).load_state_dict(state)


def test_a_window_larger_than_memory_is_refused():
    with pytest.raises(CaudexError, match=r"--window 1,000,000,000,000 needs .* GiB of memory"):
        GameWindow(Noughts(), 10**12)
