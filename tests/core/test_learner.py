"""The learner's one step, shadows, freezing, remembering: each against figures worked out by hand."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from caudex.core.learner import CachedTrunk, Learner, cosine
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, frozen
from caudex.signals import Labels
from caudex.trunks import MLP, Identity


class Pull(Signal):
    """The loss `slope * weight`: its gradient is `slope`. Silent while `says` is False."""

    def __init__(self, slope=1.0, groups=(), numbers=1):
        super().__init__()
        self.slope, self.own, self.says = slope, list(groups), True
        self.number = nn.Parameter(torch.zeros(numbers))

    def groups(self):
        return [{"params": [self.number]} | group for group in self.own]

    def loss(self, trunk, batch):
        return SignalOutput(self.slope * self.number.sum(), {"number": self.number.sum()}) if self.says else None


def learner(signals, optimizer=partial(SGD, lr=1.0), trunk=None, **settings):
    return Learner(trunk or Identity(1), signals, optimizer, **({"clip": None} | settings))


def steps(made, count=1):
    for _ in range(count):
        said = made.step(dict.fromkeys(made.signals))
    return said


# --- a step --------------------------------------------------------------------------------------------------------


def test_losses_are_weighted_and_summed():
    one, two = Pull(2.0), Pull(3.0)
    two.weight = 0.5
    steps(learner({"one": one, "two": two}))
    assert one.number.item() == -2.0
    assert two.number.item() == -1.5


def test_silence_leaves_weights_and_the_optimisers_memory_alone():
    loud, silent = Pull(), Pull()
    made = learner({"loud": loud, "silent": silent}, partial(Adam, lr=0.1))
    steps(made)
    before = {name: value.clone() for name, value in made.optimizer.state[silent.number].items()}
    at = silent.number.item()
    silent.says = False
    assert steps(made, 3).keys() == {"loud"}
    assert silent.number.item() == at != loud.number.item()
    assert all(torch.equal(made.optimizer.state[silent.number][name], value) for name, value in before.items())
    assert made.optimizer.state[loud.number]["step"] == 4
    loud.says = False
    assert steps(made) == {}
    assert made.optimizer.state[loud.number]["step"] == 4


def test_all_losses_see_the_weights_before_the_step():
    class Seen(Pull):
        def loss(self, trunk, batch):
            self.saw = self.other.number.item()
            return super().loss(trunk, batch)

    first, second = Pull(), Seen()
    second.other = first
    made = learner({"first": first, "second": second})
    steps(made, 3)
    assert first.number.item() == -3
    assert second.saw == -2


def test_groups_keep_their_own_rate_and_all_follow_the_schedule():
    own, rest = Pull(groups=[{"lr": 0.25}]), Pull()
    made = learner({"own": own, "rest": rest}, schedule=lambda progress: 1 - progress)
    made.progress = 0.5
    steps(made)
    assert own.number.item() == -0.125
    assert rest.number.item() == -0.5
    made.progress = 0.0
    steps(made)  # the factor is on the first rates, not on the last
    assert own.number.item() == -0.375
    assert rest.number.item() == -1.5


def test_clipping_is_over_all_but_groups_with_a_bound_of_their_own():
    # gradients (3, 4) of norm 5 are scaled to norm 1; 100 has its own bound, 10
    three, four, own = Pull(3.0), Pull(4.0), Pull(100.0, groups=[{"clip": 10.0}])
    steps(learner({"three": three, "four": four, "own": own}, clip=1.0))
    assert three.number.item() == pytest.approx(-0.6, rel=1e-5)
    assert four.number.item() == pytest.approx(-0.8, rel=1e-5)
    assert own.number.item() == pytest.approx(-10, rel=1e-5)


def test_matrices_decay_and_vectors_do_not():
    made = Learner(MLP(2, (3,)), {"labels": Labels(2)}, partial(AdamW, lr=0.1, weight_decay=0.5))
    decays = {id(p): group["weight_decay"] for group in made.optimizer.param_groups for p in group["params"]}
    for parameter in made.parameters():
        assert decays[id(parameter)] == (0.5 if parameter.ndim > 1 else 0.0)


def test_no_parameter_is_stepped_twice():
    trunk = MLP(2, (3,))

    class Whole(Labels):
        def groups(self):
            return [{"params": self.parameters(), "lr": 0.5}]

    made = Learner(trunk, {"labels": Whole(2), "more": Labels(2)}, average=0.9)
    told = [p for group in made.optimizer.param_groups for p in group["params"]]
    assert len(told) == len({id(p) for p in told}) == 6  # trunk and two heads, not the average


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0.0, 1e-3 / 0.051), (0.05, 1.0), (0.525, 0.5), (1.0, 0.0)],
    ids=["start", "warm", "half", "end"],
)
def test_half_a_cosine(progress, factor):
    assert cosine(progress) == pytest.approx(factor, abs=1e-9)


# --- shadows -------------------------------------------------------------------------------------------------------


def one_number(value=0.0):
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module


def follow(shadow, module, *values):
    """The shadow's weight after its module had each of the values."""
    trail = []
    for value in values:
        nn.init.constant_(module.weight, value)
        shadow.update()
        trail.append(shadow.copy.weight.item())
    return trail


def test_a_shadow_moves_by_its_decay():
    module = one_number()
    assert follow(Shadow(module, decay=0.75), module, 1, 1, 0) == [0.25, 0.4375, 0.328125]


def test_a_target_network_is_copied_every_so_many_steps():
    module = one_number()
    assert follow(Shadow(module, decay=0, every=3), module, 1, 2, 3, 4, 5, 6.5, 7) == [0, 0, 3, 3, 3, 6.5, 6.5]


def test_a_warm_shadow_forgets_its_start():
    # decays 2/11, 3/12, then at most 0.26 of a 4/13
    module = one_number()
    one = 9 / 11
    two = one / 4 + 3 / 4 * 2
    three = 0.26 * two + 0.74 * 3
    assert follow(Shadow(module, decay=0.26, warm=True), module, 1, 2, 3) == pytest.approx([one, two, three])


def test_a_shadow_copies_buffers_and_is_never_in_training_mode():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    shadow = Shadow(module, decay=0.9)
    for _ in range(3):
        module(torch.randn(8, 2) + 5)
        shadow.update()
    assert torch.equal(shadow.copy[1].running_mean, module[1].running_mean)
    assert shadow.copy[1].num_batches_tracked == 3
    outer = nn.ModuleList([shadow])
    for mode in (True, False):
        outer.train(mode)
        assert not any(part.training for part in shadow.modules())
    assert not shadow(torch.randn(8, 2)).requires_grad


def test_a_new_shadow_is_in_evaluation_mode():
    shadow = Shadow(nn.BatchNorm1d(2))
    shadow(torch.randn(8, 2))
    assert shadow.copy.num_batches_tracked == 0


def test_a_shadow_follows_its_module_through_a_save():
    module = one_number(3)
    shadow = Shadow(module, decay=0.5, every=2)
    follow(shadow, module, 1)
    again = Shadow(module, decay=0.5, every=2)
    again.load_state_dict(shadow.state_dict())
    assert follow(again, module, 1) == follow(shadow, module, 1) == [2.0]


class Keyed(Pull):
    """A signal with a shadow of its own number."""

    def build(self, trunk):
        held = nn.Module()
        held.number = self.number
        self.target = Shadow(held, decay=0.5)


def test_the_average_follows_other_shadows_and_does_not_update_them():
    signal = Keyed()
    made = learner({"keyed": signal}, average=0.999)
    assert made.shadows() == [signal.target, made.average]
    steps(made, 2)
    # numbers -1, -2; its shadow -0.5, -1.25; the average's decays are 2/11 and 3/12
    average = made.average.copy[1]["keyed"]
    assert signal.target.copy.number.item() == -1.25
    assert average.number.item() == pytest.approx(9 / 11 * -1 / 4 + 3 / 4 * -2)
    assert average.target.copy.number.item() == pytest.approx(9 / 11 * -0.5 / 4 + 3 / 4 * -1.25)
    assert int(average.target.updates) == 2
    assert made.averaged[1]["keyed"] is average


def test_shadows_move_also_when_no_signal_speaks():
    signal = Keyed()
    made = learner({"keyed": signal})
    steps(made)
    signal.says = False
    steps(made, 2)
    assert signal.number.item() == -1
    assert signal.target.copy.number.item() == -0.875


# --- freezing and remembering --------------------------------------------------------------------------------------


def test_gradients_pass_through_what_is_frozen_but_not_into_it():
    frozen_one, free = one_number(3.0), one_number(2.0)
    frozen_one.bias = nn.Parameter(torch.zeros(1), requires_grad=False)
    with frozen(frozen_one):
        frozen_one(free(torch.ones(1, 1))).sum().backward()
    assert frozen_one.weight.grad is None
    assert free.weight.grad.item() == 3
    assert frozen_one.weight.requires_grad
    assert not frozen_one.bias.requires_grad  # as it was


def test_what_is_frozen_thaws_after_an_error():
    module = one_number()
    with pytest.raises(StopIteration), frozen(module):
        raise StopIteration
    assert module.weight.requires_grad


def test_the_same_tensor_is_encoded_again_once_it_or_the_mode_has_changed():
    trunk = MLP(1, (2,), dropout=0.5)
    seen, x = CachedTrunk(trunk), torch.ones(64, 1)
    first = seen(x)
    assert seen(x) is first
    trunk.eval()
    assert seen(x) is not first
    trunk.train()
    assert seen(x) is first
    x.add_(1)
    assert seen(x) is not first
    assert seen.width == 2


def test_dead_tensors_are_not_taken_for_new_ones():
    trunk = CachedTrunk(Identity(1))
    told = [trunk(torch.full((1, 1), float(i))).pooled.item() for i in range(50)]
    assert told == list(range(50))


def test_observations_may_be_tuples_of_tensors():
    class Pair(Identity):
        def forward(self, x, state=None):
            return super().forward(x[0] * x[1])

    pair = (torch.full((1, 1), 2.0), torch.full((1, 1), 3.0))
    seen = CachedTrunk(Pair(1))
    assert seen(pair).pooled.item() == 6
    assert seen(pair) is seen(pair)


# --- labels --------------------------------------------------------------------------------------------------------


class Asked:
    def __init__(self, logits, labels, weights=None):
        self.labels, self.weights, self.columns = labels, weights, {}
        self.logits = logits

    def __getitem__(self, i):
        return self.logits


def told(batch, **settings):
    signal = Labels(2, **settings)
    signal.build(Identity(2))
    with torch.no_grad():
        signal.head.weight.copy_(torch.eye(2))
        signal.head.bias.zero_()
    return signal.loss(Identity(2), batch)


LOGITS = torch.tensor(
    [[math.log(3), 0.0], [0.0, math.log(4)], [0.0, 0.0]]
)  # probabilities 3/4, 1/4; 1/5, 4/5; 1/2, 1/2


def test_labels_count_only_where_there_are_some():
    said = told(Asked(LOGITS, torch.tensor([0, 0, -1])))
    assert said.loss.item() == pytest.approx((-math.log(3 / 4) - math.log(1 / 5)) / 2)
    assert said.metrics["accuracy"] == 0.5
    assert told(Asked(LOGITS, torch.tensor([-1, -1, -1]))) is None


def test_a_teachers_probabilities_are_labels_too():
    said = told(Asked(LOGITS, torch.tensor([[0.5, 0.5], [0.0, 1.0], [0.0, 0.0]])))
    assert said.loss.item() == pytest.approx((-math.log(3 / 4) / 2 - math.log(1 / 4) / 2 - math.log(4 / 5)) / 2)


def test_weights_multiply_the_errors():
    said = told(Asked(LOGITS, torch.tensor([0, 1, -1]), torch.tensor([2.0, 0.0, 5.0])))
    assert said.loss.item() == pytest.approx(-2 * math.log(3 / 4) / 2)


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
        return Learner(MLP(2, (1,)), pulls, partial(SGD, lr=0.1), clip=None)

    plain, signal_from_spec = joined(), joined()
    signal_from_spec.measuring = True
    batches = dict.fromkeys(("right", "back", "up"))
    said, quiet = signal_from_spec.step(batches), plain.step(batches)
    assert said["right"].metrics == {"gradient norm": 3}
    assert said["back"].metrics == {"gradient norm": 2, "cosine with right": -1}
    assert said["up"].metrics == {"gradient norm": 5, "cosine with right": 0, "cosine with back": 0}
    assert all(not each.metrics for each in quiet.values())
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), signal_from_spec.state_dict().values()))
