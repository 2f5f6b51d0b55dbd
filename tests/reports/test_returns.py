"""Systems compared over environments and seeds."""

from helpers.command_line import assert_refused, run_cli

from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.system import write_settings


def write_run(folder, system, env, seed, mean_return, random=0.0, **settings):
    """A run that says it earned so much."""
    run = Run(folder / f"{system}-{len(list(folder.iterdir()))}", seed)
    write_settings(find_class("systems", system)(env=env, seed=seed, **settings), run)
    names = ("return", "low", "high", "best", "worst")
    summaries = {"policy": dict.fromkeys(names, mean_return), "random": dict.fromkeys(names, random)}
    run.write_json("results", {**summaries, "episodes": 20})
    run.write_json("compute", {"flops": 1e12, "seconds": 30.0})
    run.write_json("finished", {"step": 1})
    return run.path


def table_cells(table: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) > 1}


def test_systems_are_compared_over_environments_and_seeds(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    folder = tmp_path / "runs"
    folder.mkdir()
    for seed in range(4):
        write_run(folder, "dqn", "control/reacher", seed, 50.0)  # (50 - 0) / (200 - 0): 0.25
        write_run(folder, "dqn", "ALE/Pong-v5", seed, -20.7 + 35.3 / 2)
        write_run(folder, "ppo", "control/reacher", seed, 100.0 + seed)
        pong = write_run(folder, "ppo", "ALE/Pong-v5", seed, -20.7)
        hours = {"hours": 2.0, "human_return": 14.6, "hours_to_human": None}
        Run(pong).write_json("results", Run(pong).read_json("results") | {"play_time": hours})
    paths = sorted(folder.iterdir())
    printed = run_cli("compare", *paths, "--figure", tmp_path / "profile.png").out
    cells = table_cells(printed)
    assert cells["results"] == ["dqn", "ppo", "random"]
    assert cells["control/reacher"] == ["50.0 ± 0.0 (4)", "101.5 ± 2.1 (4)", "0.0 ± 0.0 (4)"]
    assert cells["ALE/Pong-v5"][0] == "-3.1 ± 0.0 (4)"
    assert cells["ALE/Pong-v5, hours to a human's level"] == ["-", "not reached (0 of 4)", "-"]
    assert cells["IQM, normalised"][0] == "0.38"  # of four 0.25 and four 0.5 the middle: two of each
    assert cells["95% interval of the IQM"][0] == "0.38 to 0.38"
    assert cells["better than dqn"][1] == "50% (50% to 50%), not shown"  # always in one environment, never in the other
    assert cells["TFLOP"] == ["8", "8"] and (tmp_path / "profile.png").stat().st_size > 10_000
    assert_refused("compare", *paths, "--figure", tmp_path / "profile.png", because="profile.png exists already")
    assert_refused("compare", *paths, "--figure", tmp_path / "profile.jpg", because="ends in .png")


def test_settings_that_meet_in_an_environment_stand_apart_and_others_together(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    plain = write_run(tmp_path, "dqn", "CartPole-v1", 0, 200.0)
    longer = write_run(tmp_path, "dqn", "Pendulum-v1", 0, -500.0, total_steps=7000)
    cells = table_cells(run_cli("compare", plain, longer).out)
    assert cells["results"] == ["dqn", "random"]
    assert cells["IQM, normalised"] == ["0.42", "0.00"]
    assert cells["95% interval of the IQM"] == ["1 seed is too few"] * 2
    write_run(tmp_path, "dqn", "CartPole-v1", 0, 300.0, double=True)
    (write_run(tmp_path, "dqn", "CartPole-v1", 1, 0.0) / "results.json").unlink()  # which is not finished yet
    cells = table_cells(run_cli("compare", *sorted(tmp_path.iterdir())).out)
    assert cells["results"] == ["dqn", "dqn --total-steps 7000", "dqn --double", "random"]
    assert "IQM, normalised" not in cells  # there is no environment that all were in


def test_a_claim_brings_its_seeds_and_what_it_was_held_against(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    for seed in (0, 1):
        run = Run(tmp_path / "claim" / "stages" / f"seed-{seed}", seed)
        write_settings(find_class("systems", "curl")(seed=seed), run)
        evidence = {
            "statement": "",
            "score": 80.0 + seed,
            "baselines": {"sac from images": 40.0},
            "extra_metrics": {"random": 10.0},
        }
        run.write_json("claim", {"claim": evidence, "seconds": 1.0})
    claim_run = Run(tmp_path / "claim")
    write_settings(find_class("systems", "curl")(), claim_run)
    claim_run.write_json("plan", {"seeds": 2})
    claim_run.write_json("claim", {"shown": False})
    other = write_run(tmp_path, "curl", "pixels/hopper", 2, 90.0, 10.0)
    cells = table_cells(run_cli("compare", tmp_path / "claim", other).out)
    assert cells["results"] == ["curl", "sac from images", "random"]
    assert cells["pixels/hopper"][0] == "83.7 ± 13.7 (3)"
