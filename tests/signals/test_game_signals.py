"""Signals of games, by figures that one can work out."""

import math

import numpy as np
import pytest
import torch
from pytest import approx
from torch import nn

from caudex.core.errors import CaudexError
from caudex.core.specs import GameSpec
from caudex.experience.game_window import GameBatch
from caudex.signals.game_value import GameValue
from caudex.signals.moves_left import MovesLeft
from caudex.signals.next_move import NextMove
from caudex.signals.ownership import Ownership
from caudex.signals.search_policy import SearchPolicy
from caudex.trunks.residual_tower import ResidualTower

SPEC = GameSpec("a game", (2, 3, 3), 4, 10)


def game_batch(**parts):
    policy = torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0, 1.0]])
    legal = torch.tensor([[True, True, False, False], [True, True, True, True]])
    batch = GameBatch(
        torch.zeros(2, 2, 3, 3), policy, torch.tensor([1.0, -1.0]), legal, torch.zeros(2, 4), torch.tensor([5.0, 1.0]),
        torch.zeros(2, 3, 3, dtype=torch.int8),
    )  # fmt: skip
    return batch._replace(**parts)


def build(signal):
    """With a head that says nothing: all zeros."""
    trunk = ResidualTower(2, 4, 1)
    signal.build(trunk)
    for parameter in signal.parameters():
        nn.init.zeros_(parameter)
    return trunk


def test_a_policy_that_says_nothing_is_uniform_over_the_legal_actions():
    signal = SearchPolicy(4, (2, 3, 3))
    output = signal.loss(build(signal), game_batch())
    assert float(output.loss.detach()) == approx((math.log(2) + math.log(4)) / 2)
    # the search is as undecided in the first position, and sure in the second
    assert float(output.metrics["divergence"]) == approx(math.log(4) / 2)


def test_a_value_of_zero_is_off_by_one_from_wins_and_losses():
    signal = GameValue((2, 3, 3))
    output = signal.loss(build(signal), game_batch())
    assert float(output.loss.detach()) == approx(1) == approx(float(output.metrics["variance"]))


def test_moves_left_are_told_in_moves():
    signal = MovesLeft(**MovesLeft.arguments_from(SPEC))
    output = signal.loss(build(signal), game_batch())
    assert float(output.metrics["moves off"]) == approx(3)


def test_the_end_of_a_game_has_no_next_move():
    signal = NextMove(**NextMove.arguments_from(SPEC))
    trunk = build(signal)
    one = signal.loss(trunk, game_batch(next_policy=torch.tensor([[0, 1.0, 0, 0], [0, 0, 0, 0]])))
    assert float(one.loss.detach()) == approx(math.log(4))
    assert float(signal.loss(trunk, game_batch()).loss.detach()) == 0


def test_ownership_is_right_where_signs_agree():
    signal = Ownership()
    trunk = build(signal)
    nn.init.constant_(signal.head[0].bias, np.arctanh(0.5))
    owners = torch.ones(2, 3, 3, dtype=torch.int8)
    owners[1] = -1
    output = signal.loss(trunk, game_batch(ownership=owners))
    assert float(output.metrics["right"]) == 0.5
    assert float(output.loss.detach()) == approx((0.25 + 2.25) / 2)


def test_what_nobody_owns_cannot_be_learned():
    with pytest.raises(CaudexError, match="nobody owns the points of a game"):
        Ownership.arguments_from(SPEC)
