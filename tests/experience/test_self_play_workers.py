"""Processes of self-play: games come whole, and a process that is killed stops nothing."""

import os
import signal

import numpy as np
import pytest
import torch
from helpers.board_games import Noughts
from helpers.self_play import make_broken_games, make_games, small_learner

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.experience.game_window import GameWindow
from caudex.experience.self_play import SelfPlay
from caudex.experience.self_play_workers import SelfPlayWorkers


def test_training_goes_on_after_a_worker_was_killed_and_ends_when_all_were(capsys):
    learner = small_learner(Noughts())
    with SelfPlayWorkers(learner, make_games, 2, 0) as workers:
        source = SelfPlay(workers, GameWindow(Noughts(), 2000), 32, 1.0, 0)
        next(source)
        first, second = workers.workers.values()
        os.kill(first.pid, signal.SIGKILL)
        before = source.samples_seen
        while source.samples_seen < before + 200:
            next(source)
        assert "1 go on" in capsys.readouterr().out
        check_whole_games(source.window)
        os.kill(second.pid, signal.SIGKILL)
        with pytest.raises(CaudexError, match="every process of self-play was killed"):
            for _ in range(1000):
                next(source)
        assert workers.flops > 0 and "in any order" in source.inexact_reason
        folder = workers.folder.name
    assert not os.path.exists(folder)  # noqa: PTH110


def check_whole_games(window):
    """Moves left count down to 1, and begin at the board's first stone."""
    left, stones = window.moves_left[: window.count], window.planes[: window.count].sum((1, 2, 3))
    begins = np.flatnonzero(np.concatenate([[True], left[:-1] == 1]))
    assert (stones[begins] == 0).all() and left[-1] == 1
    assert (np.diff(left)[left[:-1] > 1] == -1).all()


def test_workers_take_the_newest_weights():
    learner = small_learner(Noughts())
    with torch.no_grad():
        learner.signals["search-policy"].head[-1].bias[4] += 50  # plays nothing but the centre first
    with SelfPlayWorkers(learner, make_games, 1, 0) as workers:
        finished = [game for _ in range(3) for game in workers.play()]
    assert all(game.policy[0].argmax() == 4 for game in finished) and finished


def test_the_operations_of_all_moves_are_counted():
    with SelfPlayWorkers(small_learner(Noughts()), make_games, 1, 0) as workers:
        num_finished = len(workers.play())
    games = make_games(derive_seed(0, "self-play", 0, 1))
    while not (finished := games.play()):
        pass
    assert len(finished) == num_finished and workers.flops == games.flops > 0


def test_an_error_in_a_worker_is_raised_here():
    with (
        SelfPlayWorkers(small_learner(Noughts()), make_broken_games, 1, 0) as workers,
        pytest.raises(CaudexError, match="the game has no rules"),
    ):
        workers.play()
