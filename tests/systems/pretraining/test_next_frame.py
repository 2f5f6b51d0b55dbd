"""next-frame is better than a copy."""

from dataclasses import replace

import pytest
from helpers.trainings import train

from caudex.core.system import load, system_at_scale


def test_the_next_frame_is_predicted_better_than_by_a_copy(tmp_path):
    system = replace(system_at_scale("next-frame", "tiny"), steps=60)
    _, run = train(system, tmp_path)
    results = run.read_json("results")["next frame"]
    assert results["ratio"] < 0.95
    assert results["ratio"] == pytest.approx(results["squared error"] / results["squared error of a copy"])
    assert (run.path / "figures" / "next-frames.png").exists()
    assert load(tmp_path).trunk.width == 32
    assert not system.warn(run.read_json("results"))
    still = {"next frame": {"squared error": 2e-6, "squared error of a copy": 1e-6, "ratio": 2.0}}
    assert "hardly anything moves" in system.warn(still)[0]
