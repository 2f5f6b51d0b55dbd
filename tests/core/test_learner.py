"""The learner's one step and its cached trunk: each against figures worked out by hand."""

from functools import partial

import pytest
import torch
from helpers.learners import Pull, make_learner, take_steps
from torch.optim import SGD, Adam, AdamW

from caudex.core.learner import CachedTrunk, Learner, cosine_schedule
from caudex.core.signal import Signal, SignalOutput
from caudex.signals import Labels
from caudex.trunks import MLP, Identity

# -- a step --------------------------------------------------------------------------------------------------------


def test_losses_are_weighted_and_summed():
    one, two = Pull(2.0), Pull(3.0)
    two.weight = 0.5
    take_steps(make_learner({"one": one, "two": two}))
    assert one.number.item() == -2.0
    assert two.number.item() == -1.5


def test_silence_leaves_weights_and_the_optimizers_state_alone():
    loud, silent = Pull(), Pull()
    learner = make_learner({"loud": loud, "silent": silent}, partial(Adam, lr=0.1))
    take_steps(learner)
    before = {name: value.clone() for name, value in learner.optimizer.state[silent.number].items()}
    at = silent.number.item()
    silent.active = False
    assert take_steps(learner, 3).keys() == {"loud"}
    assert silent.number.item() == at != loud.number.item()
    assert all(torch.equal(learner.optimizer.state[silent.number][name], value) for name, value in before.items())
    assert learner.optimizer.state[loud.number]["step"] == 4
    loud.active = False
    assert take_steps(learner) == {}
    assert learner.optimizer.state[loud.number]["step"] == 4


def test_all_losses_see_the_weights_before_the_step():
    class Seen(Pull):
        def loss(self, trunk, batch):
            self.saw = self.other.number.item()
            return super().loss(trunk, batch)

    first, second = Pull(), Seen()
    second.other = first
    learner = make_learner({"first": first, "second": second})
    take_steps(learner, 3)
    assert first.number.item() == -3
    assert second.saw == -2


def test_groups_keep_their_own_rate_and_all_follow_the_schedule():
    own_group, rest = Pull(groups=[{"lr": 0.25}]), Pull()
    learner = make_learner({"own": own_group, "rest": rest}, schedule=lambda progress: 1 - progress)
    learner.progress = 0.5
    take_steps(learner)
    assert own_group.number.item() == -0.125
    assert rest.number.item() == -0.5
    learner.progress = 0.0
    take_steps(learner)  # the factor is on the first rates, not on the last
    assert own_group.number.item() == -0.375
    assert rest.number.item() == -1.5


def test_clipping_is_over_all_but_groups_with_a_bound_of_their_own():
    # gradients (3, 4) of norm 5 are scaled to norm 1; 100 has its own bound, 10
    three, four, own_group = Pull(3.0), Pull(4.0), Pull(100.0, groups=[{"max_grad_norm": 10.0}])
    take_steps(make_learner({"three": three, "four": four, "own": own_group}, max_grad_norm=1.0))
    assert three.number.item() == pytest.approx(-0.6, rel=1e-5)
    assert four.number.item() == pytest.approx(-0.8, rel=1e-5)
    assert own_group.number.item() == pytest.approx(-10, rel=1e-5)


def test_matrices_decay_and_vectors_do_not():
    learner = Learner(MLP(2, (3,)), {"labels": Labels(2)}, partial(AdamW, lr=0.1, weight_decay=0.5))
    decays = {id(p): group["weight_decay"] for group in learner.optimizer.param_groups for p in group["params"]}
    for parameter in learner.parameters():
        assert decays[id(parameter)] == (0.5 if parameter.ndim > 1 else 0.0)


def test_no_parameter_is_stepped_twice():
    trunk = MLP(2, (3,))

    class Whole(Labels):
        def groups(self):
            return [{"params": self.parameters(), "lr": 0.5}]

    learner = Learner(trunk, {"labels": Whole(2), "more": Labels(2)}, average=0.9)
    parameters = [p for group in learner.optimizer.param_groups for p in group["params"]]
    assert len(parameters) == len({id(p) for p in parameters}) == 6  # trunk and two heads, not the average


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0.0, 1e-3 / 0.051), (0.05, 1.0), (0.525, 0.5), (1.0, 0.0)],
    ids=["start", "warm", "half", "end"],
)
def test_half_a_cosine(progress, factor):
    assert cosine_schedule(progress) == pytest.approx(factor, abs=1e-9)


# -- freezing and remembering --------------------------------------------------------------------------------------


def test_the_same_tensor_is_encoded_again_once_it_or_the_mode_has_changed():
    trunk = MLP(1, (2,), dropout=0.5)
    cached, x = CachedTrunk(trunk), torch.ones(64, 1)
    first = cached(x)
    assert cached(x) is first
    trunk.eval()
    assert cached(x) is not first
    trunk.train()
    assert cached(x) is first
    x.add_(1)
    assert cached(x) is not first
    assert cached.width == 2


def test_dead_tensors_are_not_taken_for_new_ones():
    trunk = CachedTrunk(Identity(1))
    features = [trunk(torch.full((1, 1), float(i))).pooled.item() for i in range(50)]
    assert features == list(range(50))


def test_observations_may_be_tuples_of_tensors():
    class Pair(Identity):
        def forward(self, x, state=None):
            return super().forward(x[0] * x[1])

    pair = (torch.full((1, 1), 2.0), torch.full((1, 1), 3.0))
    cached = CachedTrunk(Pair(1))
    assert cached(pair).pooled.item() == 6
    assert cached(pair) is cached(pair)


# -- how signals get on --------------------------------------------------------------------------------------------


class Towards(Signal):
    """Pulls the trunk's only matrix along a direction."""

    def __init__(self, direction):
        super().__init__()
        self.direction = torch.tensor(direction)

    def loss(self, trunk, batch):
        return SignalOutput((trunk.layers[0].weight.flatten() * self.direction).sum())


def test_gradients_on_the_trunk_are_compared_when_asked_for():
    def joined():
        torch.manual_seed(0)
        pulls = {"right": Towards([3.0, 0.0]), "back": Towards([-1.0, 0.0]), "up": Towards([0.0, 5.0])}
        pulls["back"].weight = 2.0
        return Learner(MLP(2, (1,)), pulls, partial(SGD, lr=0.1), max_grad_norm=None)

    plain, measured = joined(), joined()
    measured.log_gradients = True
    batches = dict.fromkeys(("right", "back", "up"))
    outputs, quiet = measured.step(batches), plain.step(batches)
    assert outputs["right"].metrics == {"gradient norm": 3}
    assert outputs["back"].metrics == {"gradient norm": 2, "cosine with right": -1}
    assert outputs["up"].metrics == {"gradient norm": 5, "cosine with right": 0, "cosine with back": 0}
    assert all(not each.metrics for each in quiet.values())
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), measured.state_dict().values()))
