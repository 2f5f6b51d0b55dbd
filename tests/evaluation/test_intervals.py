"""What few runs tell: answers computed by hand, properties, and how often an interval holds the truth."""

import numpy as np
from helpers.command_line import assert_refused, run_cli
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from caudex import envs as envs
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.system import start
from caudex.evaluation.intervals import improvement, interval, iqm, normalised, profile
from caudex.evaluation.reference_scores import ATARI, levels

runs = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=8).map(np.array)
scores = st.lists(runs, min_size=1, max_size=4)


def test_the_interquartile_mean_leaves_a_quarter_out_at_each_end():
    assert iqm([np.array([1.0, 2, 3, 4]), np.array([5.0, 6, 7, 800])]) == approx((3 + 4 + 5 + 6) / 4)
    assert iqm([np.array([9.0, 1, 2, 3, 40])]) == approx((2 + 3 + 9) / 3)  # a quarter of five is one
    assert iqm([np.array([1.0, 2, 6])]) == approx(3)  # of three none
    assert iqm([np.arange(12.0).reshape(3, 4)]) == approx([1.5, 5.5, 9.5])  # many draws at once


@given(scores, st.floats(0.1, 10), st.floats(-10, 10))
def test_the_interquartile_mean_lies_within_and_follows_the_scale(scores, factor, shift):
    whole = np.concatenate(scores)
    assert whole.min() - 1e-9 <= iqm(scores) <= whole.max() + 1e-9
    assert iqm([factor * env + shift for env in scores]) == approx(factor * iqm(scores) + shift, abs=1e-6)


@given(scores)
def test_a_profile_falls_from_one_to_nothing(scores):
    whole = np.concatenate(scores)
    shares = profile(scores, np.array([whole.min() - 1, *np.sort(whole), whole.max()]))
    assert shares[0] == 1 and shares[-1] == 0 and (np.diff(shares) <= 1e-12).all()
    assert profile([np.array([0.0, 1]), np.array([3.0])], np.array([0.5, 2])) == approx([0.75, 0.5])


@given(scores, st.data())
def test_who_is_better_is_worse_the_other_way_round(scores, data):
    others = [data.draw(runs) for _ in scores]
    assert improvement(scores, others) + improvement(others, scores) == approx(1)
    assert improvement(scores, scores) == approx(0.5)
    assert improvement([np.array([2.0, 4])], [np.array([1.0, 3, 4, 5])]) == approx((1 + 2.5) / 8)


def test_alike_runs_have_an_interval_of_no_width_and_few_have_none():
    assert interval(iqm, [np.full(4, 0.3), np.full(5, 0.3)]) == approx([0.3, 0.3])
    assert interval(iqm, [np.arange(5.0), np.arange(3.0)]) is None
    low, high = interval(iqm, [np.arange(9.0)])
    assert 0 <= low < 4 < high <= 8
    bands = interval(lambda drawn: profile(drawn, np.array([-1.0, 3, 9])), [np.arange(6.0)])
    assert bands.shape == (2, 3) and bands[:, 0] == approx(1) and bands[:, 2] == approx(0)


def test_the_interval_holds_the_truth_about_95_times_of_100():
    draw, held, trials = np.random.default_rng(0), 0, 400
    means, deviations = draw.uniform(0, 1, (5, 1)), draw.uniform(0.1, 0.3, (5, 1))
    truth = iqm(list(means + deviations * draw.normal(size=(5, 100_000))))
    for seed in range(trials):
        low, high = interval(iqm, list(means + deviations * draw.normal(size=(5, 5))), draws=1000, seed=seed)
        held += low <= truth <= high
    assert 0.91 <= held / trials <= 0.98  # the plain quantiles hold it 0.89 of the time


def test_levels_are_those_that_were_published():
    assert normalised([227.8, 7127.7], *levels("ALE/Alien-v5")[:2]) == approx([0, 1])
    assert normalised(558.2, *levels("ALE/Alien-v5")[:2]) == approx(0.0479, abs=1e-4)
    assert len(ATARI) == 26 and {f"ALE/{game}-v5" for game in ATARI} <= set(envs.names())
    assert levels("pixels/reacher")[:2] == (None, 200) and levels("dm_pixels/cup-catch-v0/84")[:2] == (None, 1000)
    assert (
        levels("CartPole-v1")[:2] == (None, 475) and levels("Pendulum-v1") is None and levels("ALE/Tetris-v5") is None
    )


# -- the command ----------------------------------------------------------------------------------------------------


def lived(folder, system, env, seed, earned, random=0.0, **settings):
    """A run that says it earned so much."""
    run = Run(folder / f"{system}-{len(list(folder.iterdir()))}", seed)
    start(find_class("systems", system)(env=env, seed=seed, **settings), run)
    run.write_json("results", {"policy": {"return": earned}, "random": {"return": random}, "episodes": 20})
    run.write_json("compute", {"flops": 1e12, "seconds": 30.0})
    run.write_json("finished", {"step": 1})
    return run.path


def cells(table: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def test_systems_are_compared_over_worlds_and_seeds(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    folder = tmp_path / "runs"
    folder.mkdir()
    for seed in range(4):
        lived(folder, "dqn", "control/reacher", seed, 50.0)  # (50 - 0) / (200 - 0): 0.25
        lived(folder, "dqn", "ALE/Pong-v5", seed, -20.7 + 35.3 / 2)
        lived(folder, "ppo", "control/reacher", seed, 100.0 + seed)
        lived(folder, "ppo", "ALE/Pong-v5", seed, -20.7)
    paths = sorted(folder.iterdir())
    said = run_cli("compare", *paths, "--figure", tmp_path / "profile.png").out
    found = cells(said)
    assert found["results"] == ["dqn", "ppo", "random"]
    assert found["control/reacher"] == ["50.0 ± 0.0 (4)", "101.5 ± 2.1 (4)", "0.0 ± 0.0 (4)"]
    assert found["ALE/Pong-v5"][0] == "-3.1 ± 0.0 (4)"
    assert found["IQM, normalised"][0] == "0.38"  # of four 0.25 and four 0.5 the middle: two of each
    assert found["its 95% interval"][0] == "0.38 to 0.38"
    assert found["better than dqn"][1] == "50% (50% to 50%)"  # always in one environment, never in the other
    assert found["TFLOP"] == ["8", "8"] and (tmp_path / "profile.png").stat().st_size > 10_000
    assert_refused("compare", *paths, "--figure", tmp_path / "profile.png", because="profile.png exists already")
    assert_refused("compare", *paths, "--figure", tmp_path / "profile.jpg", because="ends in .png")


def test_settings_that_meet_in_a_world_stand_apart_and_others_together(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    plain = lived(tmp_path, "dqn", "CartPole-v1", 0, 200.0)
    longer = lived(tmp_path, "dqn", "Pendulum-v1", 0, -500.0, total_steps=7000)
    found = cells(run_cli("compare", plain, longer).out)
    assert found["results"] == ["dqn", "random"]
    assert found["IQM, normalised"] == ["0.42", "0.00"]
    assert found["its 95% interval"] == ["1 seed is too few"] * 2
    lived(tmp_path, "dqn", "CartPole-v1", 0, 300.0, double=True)
    (lived(tmp_path, "dqn", "CartPole-v1", 1, 0.0) / "results.json").unlink()  # which is not finished yet
    found = cells(run_cli("compare", *sorted(tmp_path.iterdir())).out)
    assert found["results"] == ["dqn", "dqn --total-steps 7000", "dqn --double", "random"]
    assert "IQM, normalised" not in found  # there is no environment that all were in


def test_a_claim_brings_its_seeds_and_what_it_was_held_against(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    for seed in (0, 1):
        run = Run(tmp_path / "claim" / "stages" / f"seed-{seed}", seed)
        start(find_class("systems", "curl")(seed=seed), run)
        evidence = {
            "statement": "",
            "figure": 80.0 + seed,
            "against": {"sac from images": 40.0},
            "further": {"random": 10.0},
        }
        run.write_json("claim", {"claim": evidence, "seconds": 1.0})
    whole = Run(tmp_path / "claim")
    start(find_class("systems", "curl")(), whole)
    whole.write_json("plan", {"seeds": 2})
    whole.write_json("claim", {"shown": False})
    other = lived(tmp_path, "curl", "pixels/hopper", 2, 90.0, 10.0)
    found = cells(run_cli("compare", tmp_path / "claim", other).out)
    assert found["results"] == ["curl", "sac from images", "random"]
    assert found["pixels/hopper"][0] == "83.7 ± 13.7 (3)"
