"""Claims of systems that act, each against what sees nothing."""

from dataclasses import replace

import pytest
from helpers.trainings import quiet_run

from caudex.core.registry import find_class
from caudex.core.system import system_at_scale
from caudex.systems.reward import locomotion


@pytest.mark.parametrize(("name", "steps"), [("ppo", 512), ("locomotion", 256)])
def test_the_baseline_is_at_least_the_policy_that_sees_nothing(name, steps, tmp_path, monkeypatch):
    monkeypatch.setattr(locomotion, "film_strip", lambda *_: None)  # which takes a minute
    system = replace(system_at_scale(name, "tiny"), total_steps=steps, num_envs=2)
    claim = system.claim(quiet_run(tmp_path))
    (baseline,) = claim.baselines.values()
    if name == "ppo":  # a cart that is always pushed to one side falls within eleven steps
        assert 8 <= claim.extra_metrics["blind agent"] <= 11
        assert baseline == claim.extra_metrics["random"] > claim.extra_metrics["blind agent"]
    else:
        assert baseline >= claim.extra_metrics["metres of the last, blind"]


@pytest.mark.parametrize("name", ["rainbow", "curl"])
def test_the_control_of_an_ablation_acts_at_random(name, tmp_path, monkeypatch):
    def train(self, run):
        run.write_json("results", {"policy": {"return": 5.0}, "random": {"return": 1.0}})

    for kind in ("rainbow", "curl", "sac"):
        monkeypatch.setattr(find_class("systems", kind), "train", train)
    claim = system_at_scale(name, "tiny").claim(quiet_run(tmp_path))
    assert (claim.score, claim.controls) == (5.0, {"random": 1.0})
