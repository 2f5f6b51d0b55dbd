"""Reference scores are those that were published."""

from pytest import approx

from caudex import envs as envs
from caudex.evaluation.intervals import normalised_score
from caudex.evaluation.reference_scores import ATARI, levels


def test_levels_are_those_that_were_published():
    assert normalised_score([227.8, 7127.7], *levels("ALE/Alien-v5")[:2]) == approx([0, 1])
    assert normalised_score(558.2, *levels("ALE/Alien-v5")[:2]) == approx(0.0479, abs=1e-4)
    assert len(ATARI) == 26 and {f"ALE/{game}-v5" for game in ATARI} <= set(envs.env_names())
    assert levels("pixels/reacher")[:2] == (None, 200) and levels("dm_pixels/cup-catch-v0/84")[:2] == (None, 1000)
    assert (
        levels("CartPole-v1")[:2] == (None, 475) and levels("Pendulum-v1") is None and levels("ALE/Tetris-v5") is None
    )
