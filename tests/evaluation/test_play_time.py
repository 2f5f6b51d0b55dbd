"""Steps in Atari games count as hours of play."""

from pytest import approx

from caudex.evaluation.play_time import play_time, play_time_cells, play_time_rows


def test_a_hundred_thousand_steps_are_two_hours_of_play():
    rows = [{"samples": 100_000 * share // 20, "episodes/return": share} for share in range(1, 21)]
    times = play_time("ALE/Pong-v5", rows)  # a human earns 14.6
    assert times["hours"] == approx(100_000 * 4 / 60 / 3600)
    assert times["human_return"] == 14.6
    # ten rows up to share n have the mean n - 4.5, which reaches 14.6 with the last but none: 19 has 14.5, 20 has 15.5
    assert times["hours_to_human"] == approx(times["hours"])
    assert play_time_rows(times)[-1][:2] == ("hours to a human's level", "1.9")


def test_rows_without_an_episode_do_not_count_and_a_lucky_one_is_not_enough():
    lucky = [{"samples": n, "episodes/return": 21.0 if n == 15 else -21.0} for n in range(1, 31)]
    assert play_time("ALE/Pong-v5", lucky)["hours_to_human"] is None
    good = [{"samples": n} if n % 2 else {"samples": n, "episodes/return": 21.0} for n in range(1, 31)]
    assert play_time("ALE/Pong-v4", good)["hours_to_human"] == approx(20 / 54_000)


def test_other_environments_have_no_hours():
    assert play_time("CartPole-v1", [{"samples": 10, "episodes/return": 1.0}]) is None
    assert play_time("ALE/Tetris-v5", [{"samples": 10, "episodes/return": 1.0}]) is None
    assert play_time("ALE/Pong-v5", []) is None and play_time_cells("CartPole-v1", []) == {}


def test_cells_say_how_many_runs_reached_the_human():
    runs = [{"hours": 2.0, "human_return": 14.6, "hours_to_human": reached} for reached in (None, 1.0, 2.0)]
    assert play_time_cells("ALE/Pong-v5", runs) == {
        "ALE/Pong-v5, hours of play": "2.0",
        "ALE/Pong-v5, hours to a human's level": "1.5 (2 of 3)",
    }
