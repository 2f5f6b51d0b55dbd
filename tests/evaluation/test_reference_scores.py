"""Reference scores are those that were published."""

from pytest import approx

from caudex import envs
from caudex.evaluation.intervals import normalised_score
from caudex.evaluation.reference_scores import ATARI_SCORES, reference_scores


def test_levels_are_those_that_were_published():
    assert normalised_score([227.8, 7127.7], *reference_scores("ALE/Alien-v5")[:2]) == approx([0, 1])
    assert normalised_score(558.2, *reference_scores("ALE/Alien-v5")[:2]) == approx(0.0479, abs=1e-4)
    assert len(ATARI_SCORES) == 57 and {f"ALE/{game}-v5" for game in ATARI_SCORES} <= set(envs.env_names())
    assert reference_scores("pixels/reacher")[:2] == (None, 200) and reference_scores("dm_pixels/cup-catch-v0/84")[
        :2
    ] == (None, 1000)
    assert (
        reference_scores("CartPole-v1")[:2] == (None, 475)
        and reference_scores("Pendulum-v1") is None
        and reference_scores("ALE/Tetris-v5") is None
    )
