"""Methods of very different kinds, each in about 30 lines, through one unchanged `fit`."""

import math
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput, accuracy, frozen
from caudex.core.source import Source
from caudex.core.trunk import Features, Trunk
from caudex.data import Batch, Join
from caudex.signals import Labels
from caudex.trunks import MLP, Identity


class EndlessSource(Source):
    """A source out of a function that makes a batch."""

    def __init__(self, make):
        self.make = make

    def __next__(self):
        return self.make()


# --- a toy SAC (Haarnoja et al. 2018): whole networks as heads on the trunk that does nothing -----------------------


class Transition(NamedTuple):
    observations: Tensor  # [B, 1]
    actions: Tensor  # [B, 1]
    rewards: Tensor  # [B]
    next_observations: Tensor  # [B, 1]


class Gaussian(nn.Module):
    """A policy: a normal distribution squeezed into (-1, 1)."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, state):
        mean, spread = self.net(state).chunk(2, 1)
        spread, noise = spread.clamp(-4, 1), torch.randn_like(mean)
        action = (mean + spread.exp() * noise).tanh()
        logp = -(noise**2) / 2 - spread - math.log(2 * math.pi) / 2 - (1 - action**2 + 1e-6).log()
        return action, logp.squeeze(1)


class Critic(Signal):
    def __init__(self, policy):
        super().__init__()
        self.policy = policy

    def build(self, trunk):
        self.net = nn.Sequential(nn.Linear(trunk.width + 1, 64), nn.ReLU(), nn.Linear(64, 1))
        self.target = Shadow(self.net, decay=0.95)

    def loss(self, trunk, batch):
        with torch.no_grad():
            then = trunk(batch.next_observations).pooled
            action, logp = self.policy(then)
            aim = batch.rewards + 0.5 * (self.target(torch.cat([then, action], 1)).squeeze(1) - 0.02 * logp)
        predicted = self.net(torch.cat([trunk(batch.observations).pooled, batch.actions], 1)).squeeze(1)
        return SignalOutput(F.mse_loss(predicted, aim))


class Actor(Signal):
    def __init__(self, policy, critic):
        super().__init__()
        self.policy, self.critic = policy, critic

    def loss(self, trunk, batch):
        state = trunk(batch.observations).pooled
        action, logp = self.policy(state)
        with frozen(self.critic):
            value = self.critic.net(torch.cat([state, action], 1)).squeeze(1)
        return SignalOutput((0.02 * logp - value).mean())


class Replay(Source):
    """Acts once a step with the policy it holds, in 32 environments whose best action is half of what is seen."""

    def __init__(self, policy):
        self.policy, self.memory, self.state, self.samples_seen = policy, [], torch.rand(32, 1) * 2 - 1, 0

    @torch.no_grad()
    def __next__(self):
        action, _ = self.policy(self.state)
        then = torch.rand(32, 1) * 2 - 1
        reward = -((action - self.state / 2) ** 2).squeeze(1)
        self.memory.append(Transition(self.state, action, reward, then))
        self.state, self.samples_seen = then, self.samples_seen + 32
        transitions = [self.memory[i] for i in torch.randint(len(self.memory), (4,))]
        return Transition(*(torch.cat(part) for part in zip(*transitions)))


def test_an_actor_learns_from_its_critic_and_leaves_it_alone():
    policy = Gaussian()
    critic = Critic(policy)
    learner = Learner(
        Identity(1), {"critic": critic, "actor": Actor(policy, critic)}, partial(Adam, lr=3e-3), max_grad_norm=None
    )
    replay = Replay(policy)
    fit(learner, {"critic": replay, "actor": replay}, steps=400)
    states = torch.linspace(-1, 1, 21).unsqueeze(1)
    done = policy.net(states)[:, :1].tanh()
    assert (done - states / 2).abs().mean() < 0.1
    choices = torch.stack([torch.full((21,), 0.6), torch.linspace(-1, 1, 21)], 1)
    assert choices[critic.net(choices).argmax(), 1].item() == pytest.approx(0.3, abs=0.15)
    learner.optimizer.zero_grad()
    learner.signals["actor"].loss(learner.trunk, next(replay)).loss.backward()
    assert all(p.grad is None for p in critic.net.parameters())
    assert all(p.grad is not None for p in policy.parameters())
    assert replay.samples_seen == 401 * 32


# --- priorities flow back (Schaul et al. 2016) ---------------------------------------------------------------------


class Prioritised(Source):
    """Ten examples, drawn in proportion to the error last heard of them; one of them, number 7, is not yet known."""

    def __init__(self):
        self.errors, self.draws = torch.full((10,), 0.01), torch.zeros(10)

    def __next__(self):
        self.index = self.errors.multinomial(4, replacement=True)
        self.draws += self.index.bincount(minlength=10)
        return Batch(F.one_hot(self.index, 10).float(), (self.index == 7).long(), self.index)

    def update_priorities(self, errors):
        self.errors[self.index] = errors.abs() + 0.01


class Value(Signal):
    def build(self, trunk):
        self.head = nn.Linear(trunk.width, 1, bias=False)
        nn.init.zeros_(self.head.weight)

    def loss(self, trunk, batch):
        errors = batch.labels - self.head(trunk(batch.images).pooled).squeeze(1)
        return SignalOutput(errors.square().mean(), {}, errors)


def test_errors_flow_back_and_decide_what_is_drawn():
    source, value = Prioritised(), Value()
    fit(
        Learner(Identity(10), {"value": value}, partial(SGD, lr=0.02), max_grad_norm=None), {"value": source}, steps=400
    )
    assert source.draws[7] > 2 * source.draws.sum() / 10  # a tenth, had they not flowed back
    assert value.head.weight[0, 7].item() == pytest.approx(1, abs=0.1)
    assert not source.errors.requires_grad


# --- one shadow, two signals ---------------------------------------------------------------------------------------


class Likeness(Signal):
    """The head says what a slow copy of the trunk sees (after Grill et al. 2020)."""

    def __init__(self, shadow):
        super().__init__()
        self.shadow = shadow

    def build(self, trunk):
        self.head = nn.Linear(trunk.width, trunk.width)

    def loss(self, trunk, batch):
        return SignalOutput(F.mse_loss(self.head(trunk(batch.images).pooled), self.shadow(batch.images).pooled))


def test_a_shadow_that_two_signals_share_moves_once_a_step():
    trunk = MLP(3, (4,))
    shadow = Shadow(trunk, decay=0.5)
    learner = Learner(trunk, {"one": Likeness(shadow), "two": Likeness(shadow)}, partial(SGD, lr=0.1))
    assert learner.find_shadows() == [shadow]
    expected, trail = trunk.layers[0].weight.detach().clone(), []

    def watched(learner, batches):
        outputs = Learner.step(learner, batches)
        trail.append(trunk.layers[0].weight.detach().clone())
        return outputs

    source = EndlessSource(lambda: Batch(torch.randn(8, 3), torch.zeros(8), torch.arange(8)))
    fit(learner, {"one": source, "two": source}, steps=5, step=watched)
    for weight in trail:
        expected = 0.5 * expected + 0.5 * weight
    assert int(shadow.updates) == 5
    assert not torch.equal(trail[0], trail[4])
    torch.testing.assert_close(shadow.copy.layers[0].weight, expected)


# --- a trial of several episodes (RL^2: Duan et al. 2016): what pays is only known from an earlier episode ----------


class Recurrent(Trunk):
    def __init__(self, inputs, width):
        super().__init__()
        self.cell, self.width = nn.GRU(inputs, width, batch_first=True), width

    def forward(self, x, state=None):
        steps, state = self.cell(x, state)  # [B, T, inputs], memory [1, B, width]
        return Features(steps[:, -1], {"steps": steps}, state)


class BanditTrials(Source):
    """Trials of three one-pull episodes with a two-armed bandit, one arm of which pays; the memory lasts the trial.

    An observation is what was pulled last, what it paid, and whether an episode has just ended.
    """

    def __init__(self, learner, forgets=False):
        self.learner, self.forgets, self.paid = learner, forgets, torch.zeros(3)

    @torch.no_grad()
    def __next__(self):
        good, state, x = torch.randint(2, (64,)), None, torch.zeros(64, 1, 4)
        observations, pulled, rewards = [], [], []
        for _ in range(3):
            features = self.learner.trunk(x, None if self.forgets else state)
            state = features.state
            arm = torch.distributions.Categorical(logits=self.learner.signals["policy"].head(features.pooled)).sample()
            reward = (arm == good).float()
            observations, pulled, rewards = [*observations, x], [*pulled, arm], [*rewards, reward]
            x = torch.cat([F.one_hot(arm, 2), reward[:, None], torch.ones(64, 1)], 1).unsqueeze(1)
            if self.forgets:
                x = torch.zeros_like(x)
        self.paid = torch.stack(rewards).mean(1)  # an episode
        return torch.cat(observations, 1), torch.stack(pulled, 1), torch.stack(rewards, 1)


class Policy(Signal):
    """REINFORCE with the mean of the batch as baseline (Williams 1992)."""

    def build(self, trunk):
        self.head = nn.Linear(trunk.width, 2)

    def loss(self, trunk, batch):
        observations, pulled, rewards = batch
        logp = self.head(trunk(observations).layers["steps"]).log_softmax(2).gather(2, pulled.unsqueeze(2)).squeeze(2)
        return SignalOutput(-(logp * (rewards - rewards.mean(0))).mean())


def test_memory_crosses_the_ends_of_episodes_within_a_trial():
    learner = Learner(Recurrent(4, 16), {"policy": Policy()}, partial(Adam, lr=0.02))
    fit(learner, {"policy": BanditTrials(learner)}, steps=150)
    trials, forgetful = BanditTrials(learner), BanditTrials(learner, forgets=True)
    with_memory, without = ([next(source) and source.paid for _ in range(20)] for source in (trials, forgetful))
    first, *later = torch.stack(with_memory).mean(0).tolist()
    assert first == pytest.approx(0.5, abs=0.1)
    assert min(later) > 0.97
    assert torch.stack(without).mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.1)


# --- teacher and student, killed in between ------------------------------------------------------------------------


class CountedLabels(Labels):
    def loss(self, trunk, batch):
        self.calls = getattr(self, "calls", 0) + 1
        return super().loss(trunk, batch)


def two_moons_source(learner=None, seed=3):
    generator = torch.Generator().manual_seed(seed)
    angle, side = torch.rand(64, generator=generator) * math.pi, torch.randint(2, (64,), generator=generator)
    points = torch.stack([angle.cos() + side, angle.sin() * (1 - 2 * side) + side / 2], 1)
    return Batch(points, side if learner is None else learner(points), torch.arange(64))


def train_teacher_and_student(run, dies=False):
    """Steps that the teacher and the student took in this process, and the student's weights."""
    signals = [CountedLabels(2), CountedLabels(2)]

    def stage(name, signal, labelled):
        with run.seeded(name):
            learner = Learner(MLP(2, (16,), dropout=0.1), {"labels": signal})
        return fit(learner, {"labels": EndlessSource(labelled)}, steps=30, run=run.stage(name))

    teacher = stage("teacher", signals[0], two_moons_source)
    if dies:
        raise KeyboardInterrupt
    student = stage(
        "student", signals[1], lambda: two_moons_source(lambda x: signals[0].logits(teacher.trunk, x).softmax(1))
    )
    return [getattr(signal, "calls", 0) for signal in signals], student.state_dict()


def test_a_finished_teacher_is_loaded_and_the_student_is_the_same(tmp_path):
    calls, undisturbed = train_teacher_and_student(Run(tmp_path / "undisturbed", seed=1))
    assert calls == [30, 30]
    with pytest.raises(KeyboardInterrupt):
        train_teacher_and_student(Run(tmp_path / "killed", seed=1), dies=True)
    calls, resumed = train_teacher_and_student(Run(tmp_path / "killed", seed=1))
    assert calls == [0, 30]
    assert all(torch.equal(resumed[name], weight) for name, weight in undisturbed.items())
    for file in ("stages/teacher/metrics.jsonl", "stages/student/metrics.jsonl"):
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "undisturbed" / file).read_bytes()


# --- another kind of step (TRPO: Schulman et al. 2015, appendix C) --------------------------------------------------


class Arms(Signal):
    def __init__(self, arms):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(arms))

    def loss(self, trunk, batch):
        arms, advantages = batch
        logp = self.logits.log_softmax(0)
        return SignalOutput(-((logp[arms] - logp[arms].detach()).exp() * advantages).mean())


def trust_region(learner, batches, bound=0.02):
    """The natural gradient, as long as the quadratic model of the KL allows, halved until the KL itself does."""
    arms = learner.signals["arms"]
    output = learner(batches)["arms"]
    (gradient,) = torch.autograd.grad(output.loss, [arms.logits])
    before, start = arms.logits.detach().softmax(0), arms.logits.detach().clone()
    fisher = before.diag() - before.outer(before) + 1e-4 * torch.eye(len(before))
    direction = -torch.linalg.solve(fisher, gradient)
    step = direction * (2 * bound / (direction @ fisher @ direction + 1e-12)).sqrt()
    for _ in range(10):
        with torch.no_grad():
            arms.logits.copy_(start + step)
        kl = (before * (before.log() - arms.logits.detach().log_softmax(0))).sum()
        if kl <= bound:
            break
        step = step / 2
    return {"arms": SignalOutput(output.loss, {"kl": kl})}


def test_a_trust_region_step_keeps_its_bound_and_finds_the_arm_that_pays(tmp_path):
    signal, pay = Arms(5), torch.tensor([0.1, 0.2, 0.9, 0.3, 0.5])

    def pulls():
        arms = signal.logits.detach().softmax(0).multinomial(200, replacement=True)
        rewards = (torch.rand(200) < pay[arms]).float()
        return arms, (rewards - rewards.mean()) / (rewards.std() + 1e-6)

    divergences = []

    def step(learner, batches):
        output = trust_region(learner, batches)
        divergences.append(output["arms"].metrics["kl"].item())
        return output

    fit(Learner(Identity(1), {"arms": signal}), {"arms": EndlessSource(pulls)}, steps=100, step=step, run=Run(tmp_path))
    assert max(divergences) <= 0.02
    assert divergences[0] > 0.005  # the bound is used
    assert signal.logits.softmax(0)[2] > 0.95
    rows = Run(tmp_path).metrics()
    assert rows[0]["arms/kl"] == pytest.approx(sum(divergences[:10]) / 10)


# --- domain confusion (Ganin et al. 2016) ---------------------------------------------------------------------------


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(context, x, strength):
        context.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        return -context.strength * gradient, None


class Domain(Signal):
    """Tell whose source an example is from; the trunk is taught to make that impossible, by `strength`."""

    def __init__(self, strength):
        super().__init__()
        self.strength = strength

    def build(self, trunk):
        self.head = nn.Sequential(nn.Linear(trunk.width, 32), nn.ReLU(), nn.Linear(32, 2))

    def groups(self):
        return [{"params": self.head.parameters(), "lr": 2e-3}]

    def loss(self, trunk, batch):
        logits = self.head(Reversed.apply(trunk(batch.images).pooled, self.strength))
        return SignalOutput(
            F.cross_entropy(logits, batch.source_index), {"accuracy": accuracy(logits, batch.source_index)}
        )


class DomainSource(Source):
    """Two classes by the first coordinate; the second tells the site; only one site knows the labels."""

    def __init__(self, place, labelled):
        self.place, self.labelled, self.samples_seen = place, labelled, 0

    def __next__(self):
        self.samples_seen += 64
        labels = torch.randint(2, (64,))
        points = torch.stack([labels * 2.0 - 1, torch.full((64,), self.place)], 1) + 0.2 * torch.randn(64, 2)
        return Batch(points, labels if self.labelled else torch.full((64,), -1), torch.arange(64))


@pytest.mark.parametrize(("strength", "domain"), [(1.0, 0.5), (0.0, 1.0)])
def test_domains_are_confused_and_labels_are_not(tmp_path, strength, domain):
    both = Join(DomainSource(-1.0, True), DomainSource(1.0, False))
    signals = {"labels": Labels(2), "domain": Domain(strength)}
    learner = Learner(MLP(2, (16,)), signals, partial(Adam, lr=5e-3, betas=(0.5, 0.9)))
    fit(learner, {"labels": both, "domain": both}, steps=300, run=Run(tmp_path))
    last = Run(tmp_path).metrics()[-3:]
    assert sum(row["domain/accuracy"] for row in last) / 3 == pytest.approx(domain, abs=0.1)
    assert all(row["labels/accuracy"] > 0.98 for row in last)
    assert last[-1]["samples"] == 300 * 128


# --- two heads, one encoding ----------------------------------------------------------------------------------------


class CountingMLP(MLP):
    def forward(self, x, state=None):
        self.count = getattr(self, "count", 0) + 1
        return super().forward(x, state)


class LabelsWithin(Labels):
    """Labels, and looks at the trunk in a way of its own."""

    def __init__(self, look):
        super().__init__(2)
        self.look = look

    def loss(self, trunk, batch):
        self.look(trunk, batch.images)
        return super().loss(trunk, batch)


def within(context):
    def look(trunk, x):
        with context(trunk):
            return trunk(x)

    return look


@pytest.mark.parametrize(
    ("look", "passes"),
    [
        (lambda trunk, x: trunk(x), 1),
        (within(frozen), 2),
        (within(lambda trunk: torch.no_grad()), 2),
        (lambda trunk, x: trunk(x.clone()), 2),
        (lambda trunk, x: trunk(x, "memory"), 2),
    ],
    ids=["the same", "frozen", "no_grad", "another tensor", "with memory"],
)
def test_two_heads_share_one_encoding(look, passes):
    trunk = CountingMLP(2, (4,))
    learner = Learner(trunk, {"plain": Labels(2), "looks": LabelsWithin(look), "again": Labels(2)})
    learner.step(dict.fromkeys(learner.signals, two_moons_source()))
    assert trunk.count == passes
