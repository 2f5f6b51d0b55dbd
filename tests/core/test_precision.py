"""What is rounded in which precision, and that nothing of it stays."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.precision import computing_in
from caudex.core.run import Run
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput
from caudex.core.source import Source
from caudex.trunks import MLP, Recurrent

TARGET = 1 + 2**-10  # bfloat16 rounds it to 1


class Values(NamedTuple):
    observations: Tensor
    targets: Tensor


class Ones(Source):
    def __next__(self):
        return Values(torch.ones(4, 2), torch.full((4,), TARGET))


class Value(Signal):
    """Notes the types of what it sees."""

    def build(self, trunk):
        self.head = nn.Sequential(nn.Linear(trunk.width, 3), nn.ReLU(), nn.Linear(3, 1))
        self.scale = nn.Parameter(torch.ones(()))
        self.target, self.dtypes = Shadow(trunk), set()

    def loss(self, trunk, batch):
        features, slow = trunk(batch.observations).pooled, self.target(batch.observations).pooled
        values = self.scale * self.head(features).squeeze(1)
        self.dtypes |= {features.dtype, slow.dtype, values.dtype, batch.targets.dtype}
        return SignalOutput((values - batch.targets).square().mean(), {"target": batch.targets.mean()}, values)


def learner_of(signals):
    torch.manual_seed(0)
    return Learner(MLP(2, (8,)), {name: Value() for name in signals})


@pytest.mark.parametrize("precision, dtype", [("bf16-mixed", torch.float32), ("64-true", torch.float64)])
def test_targets_and_losses_are_not_rounded(precision, dtype, tmp_path):
    run, learner = Run(tmp_path, hardware=Hardware("cpu", precision=precision)), learner_of(["a", "b"])
    run.quiet = True
    fit(learner, dict.fromkeys(learner.signals, Ones()), steps=2, run=run)
    assert learner.signals["a"].dtypes == {dtype}
    assert run.metrics()[0]["a/target"] == TARGET
    assert all(tensor.dtype == torch.float32 for tensor in learner.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in learner.modules())


def test_precisions_differ_by_their_rounding():
    losses = {}
    for precision in ("32-true", "64-true", "bf16-mixed"):
        learner = learner_of(["a"])
        with computing_in(learner, precision):
            losses[precision] = float(learner.step({"a": next(Ones())})["a"].loss)
    assert losses["64-true"] == pytest.approx(losses["32-true"], rel=1e-6)
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=2e-2)
    assert losses["bf16-mixed"] != losses["32-true"]


def test_an_error_within_a_trunk_leaves_no_autocast():
    learner = learner_of(["a"])
    with computing_in(learner, "bf16-mixed"):
        with pytest.raises(RuntimeError):
            learner.trunk(torch.ones(4, 3))
        assert not torch.is_autocast_enabled("cpu")


def test_recurrent_states_stay_in_float32():
    trunk = Recurrent(MLP(2, (8,)), 4)
    with computing_in(trunk, "bf16-mixed"):
        features = trunk(torch.ones(3, 5, 2))
        stepwise = trunk(torch.ones(3, 1, 2), trunk.initial_state(3))
    assert features.pooled.dtype == stepwise.state.dtype == torch.float32
    assert torch.allclose(features.pooled[:, 0], stepwise.pooled[:, 0], atol=1e-6)
