import numpy as np
import pytest

from caudex.core.errors import CaudexError
from caudex.envs.boards import Symmetry, check_game
from caudex.envs.boards.connect_four import ConnectFour, ConnectFourPosition


class NoMove(ConnectFour):
    def legal(self, positions):
        return super().legal(positions) & (np.bitwise_count(positions.occupied) < 5)[:, None]


class MovesAfterTheEnd(ConnectFour):
    def legal(self, positions):
        return np.ones((len(positions.stones), 7), bool)


class TooManyMoves(ConnectFour):
    def legal(self, positions):
        return np.pad(super().legal(positions), ((0, 0), (0, 1)))


class TwoValues(ConnectFour):
    def outcome(self, positions):
        is_over, value = super().outcome(positions)
        return is_over, np.stack([value, value], 1)


class HighValue(ConnectFour):
    def outcome(self, positions):
        is_over, value = super().outcome(positions)
        return is_over, value * np.float32(3)


class EarlyValue(ConnectFour):
    def outcome(self, positions):
        is_over, value = super().outcome(positions)
        return is_over, value + np.float32(0.5) * ~is_over


class WrongShape(ConnectFour):
    def planes(self, positions):
        return super().planes(positions)[:, :, :5]


class WrongType(ConnectFour):
    def planes(self, positions):
        return super().planes(positions).astype(np.float64)


class InPlace(ConnectFour):
    def apply(self, positions, actions):
        positions.stones[:], positions.occupied[:] = super().apply(positions, actions)
        return positions


class GoesOn(ConnectFour):
    def apply(self, positions, actions):
        stones, occupied = super().apply(positions, actions)
        return ConnectFourPosition(np.where(self.outcome(positions)[0], occupied, stones), occupied)


class TooLong(ConnectFour):
    max_moves = 6


class WrongPlayer(ConnectFour):
    def to_play(self, positions):
        return super().to_play(positions) + 1


class WrongMirror(ConnectFour):
    def symmetries(self):
        identity, mirror = super().symmetries()
        return [identity, Symmetry(mirror.transform, identity.actions)]


class NoPermutation(ConnectFour):
    def symmetries(self):
        return [Symmetry(lambda planes: planes, np.zeros(7, int))]


class Nameless(ConnectFour):
    @property
    def max_moves(self):
        raise AttributeError


@pytest.mark.parametrize(
    "broken, words",
    [
        (NoMove, "a game that is not over has no legal move"),
        (MovesAfterTheEnd, "a finished game has legal moves"),
        (TooManyMoves, "legal is bool (32, 8); it must be bool (32, 7)"),
        (TwoValues, "value is float32 (32, 2); it must be float32 (32,); it is that of the player to move"),
        (HighValue, "outcome gave the value [-3.]; give values from -1 to 1"),
        (EarlyValue, "a value to a game that is not over"),
        (WrongShape, "planes is uint8 (32, 2, 5, 7); it must be uint8 or float32 (32, 2, 6, 7)"),
        (WrongType, "planes is float64"),
        (InPlace, "apply changed a position in place"),
        (GoesOn, "apply changed a finished game"),
        (TooLong, "goes on after max_moves, 6"),
        (WrongPlayer, "to_play gave 2; players are 0 and 1"),
        (WrongMirror, "symmetry 1 does not fit the rules: planes differs"),
        (NoPermutation, "are not a permutation"),
        (Nameless, "Nameless has no max_moves"),
    ],
)
def test_a_broken_game_is_refused_in_one_sentence(broken, words):
    with pytest.raises(CaudexError) as caught:
        check_game(broken())
    assert words in str(caught.value)


def test_a_game_that_keeps_the_contract_passes():
    check_game(ConnectFour())
