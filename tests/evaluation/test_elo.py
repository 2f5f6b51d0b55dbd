import math

import numpy as np
import pytest

from caudex.core.errors import CaudexError
from caudex.evaluation.elo import elo_ratings


def games_of(player, opponent, wins=0, draws=0, losses=0):
    return [(player, opponent, 1)] * wins + [(player, opponent, 0.5)] * draws + [(player, opponent, 0)] * losses


@pytest.mark.parametrize("wins, draws, losses", [(10, 0, 0), (6, 4, 0), (3, 1, 6)])
def test_two_players_have_the_log_odds_of_their_score(wins, draws, losses):
    ratings = elo_ratings(games_of("a", "b", wins, draws, losses), anchor="b")
    score = (wins + draws / 2 + 0.5) / 11  # of ten games and the drawn one of the prior
    assert ratings["a"].elo == pytest.approx(400 * math.log10(score / (1 - score)))
    assert ratings["b"] == (0, 0, 0, 10)


def test_the_anchor_moves_all_ratings_alike_and_the_best_comes_first():
    games = (
        games_of("weak", "strong", 2, 0, 8)
        + games_of("strong", "middle", 7, 0, 3)
        + games_of("middle", "weak", 7, 0, 3)
    )
    by_weak, by_strong = elo_ratings(games, "weak"), elo_ratings(games, "strong", anchor_elo=1000)
    assert list(by_weak) == ["strong", "middle", "weak"]
    assert by_strong["weak"].elo == pytest.approx(1000 - by_weak["strong"].elo)
    assert by_strong["middle"].elo - by_strong["weak"].elo == pytest.approx(by_weak["middle"].elo)


def test_ten_wins_of_ten_have_a_finite_rating_and_an_interval():
    rating = elo_ratings(games_of("a", "b", 10), "b")["a"]
    assert math.isfinite(rating.high) and 0 < rating.low < rating.high


def test_known_strengths_are_recovered():
    strengths, rng = {"a": 0.0, "b": 100.0, "c": 250.0, "d": 500.0}, np.random.default_rng(0)
    games = []
    for player, own in strengths.items():
        for opponent, other in strengths.items():
            if player < opponent:
                chance = 1 / (1 + 10 ** ((other - own) / 400))
                games += [(player, opponent, float(score)) for score in rng.random(400) < chance]
    ratings = elo_ratings(games, "a")
    for name, strength in strengths.items():
        assert ratings[name].elo == pytest.approx(strength, abs=50)  # three standard errors
        assert ratings[name].high - ratings[name].low < 120


def test_intervals_cover_the_truth_19_times_of_20():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(100):
        wins = int(rng.binomial(40, 0.75))
        rating = elo_ratings(games_of("a", "b", wins, 0, 40 - wins), "b")["a"]
        covered += rating.low <= 400 * math.log10(3) <= rating.high
    assert 0.88 <= covered / 100 <= 1


def test_every_rating_lies_in_its_interval_which_is_narrower_with_more_games():
    few, many = (
        elo_ratings(games_of("a", "b", 9 * n, 0, n) + games_of("c", "a", 10 * n) + games_of("c", "b", 10 * n), "b")
        for n in (1, 20)
    )
    for ratings in (few, many):
        assert all(rating.low <= rating.elo <= rating.high for rating in ratings.values())
    assert many["a"].high - many["a"].low < (few["a"].high - few["a"].low) / 3


@pytest.mark.parametrize(
    "games, anchor, sentence",
    [
        ([("a", "b", 2)], "a", "the score of a against b is 2; a win is 1"),
        ([("a", "a", 1)], "a", "a plays against itself"),
        ([("a", "b", 1)], "c", "the anchor 'c' has played no game; choose one of a, b"),
        ([], "c", "the anchor 'c' has played no game"),
        ([("a", "b", 1), ("c", "d", 1)], "a", "no games connect a and c"),
    ],
)
def test_games_that_give_no_rating_are_refused(games, anchor, sentence):
    with pytest.raises(CaudexError, match=sentence):
        elo_ratings(games, anchor)
