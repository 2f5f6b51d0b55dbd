"""Every system takes some steps in every precision; what follows its first training is that of float32."""

from dataclasses import replace

import pytest
from helpers.stories import story

from caudex.core.hardware import Hardware
from caudex.core.metrics_buffer import MetricsBuffer
from caudex.core.registry import class_paths
from caudex.core.run import Run
from caudex.core.system import system_at_scale

OF_OTHER_SYSTEMS = {"labels-saved", "semantic-search"}
"""they train what the others train, or nothing"""
SMALL = {
    "a3c": {"actors": 1, "num_envs": 1},
    "bert": {"data": "stories", "vocab_size": 120},
    "gpt": {"data": "stories", "vocab_size": 300},
}


class FirstTrainingEnds(Exception):
    pass


@pytest.fixture
def _end_after_the_first_training(monkeypatch):
    def close(self):
        assert self.state.step == 2
        raise FirstTrainingEnds

    monkeypatch.setattr(MetricsBuffer, "close", close)


def train_two_steps(name, precision, tmp_path, **settings):
    for number in range(8):
        file = tmp_path / "stories" / f"{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(story(10 * number + line) for line in range(10)))
    system = replace(system_at_scale(name, "tiny"), steps=2, **SMALL.get(name, {}) | settings)
    run = Run(tmp_path / "run", hardware=Hardware("cpu", precision=precision))
    run.quiet = True
    system.check()
    with pytest.raises(FirstTrainingEnds):
        system.train(run)


@pytest.mark.usefixtures("_end_after_the_first_training")
@pytest.mark.parametrize("name", sorted(class_paths("systems").keys() - OF_OTHER_SYSTEMS - {"probe", "text-labels"}))
def test_bfloat16(name, tmp_path):
    train_two_steps(name, "bf16-mixed", tmp_path)


@pytest.mark.usefixtures("_end_after_the_first_training")
@pytest.mark.parametrize("name", ["simclr", "ppo", "trpo", "sac", "rainbow", "gpt", "noisy-student"])
def test_float64(name, tmp_path):
    train_two_steps(name, "64-true", tmp_path)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_what_follows_a_training(precision, simclr_run, coloured_shapes, tmp_path):
    """Probes, figures and saved weights: the whole of probe, which also trains twice."""
    system = replace(system_at_scale("probe", "tiny"), start=simclr_run, data=coloured_shapes, width=8, steps=2)
    run = Run(tmp_path / "run", hardware=Hardware("cpu", precision=precision))
    run.quiet = True
    model = system.train(run)
    assert {str(p.dtype) for p in model.parameters()} == {"torch.float32"}
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
