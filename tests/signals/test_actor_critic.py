"""Methods that act with numbers: their equations by hand, what moves what, what they learn, exact resuming."""

import contextlib
import io
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, TanhTransform, TransformedDistribution
from torch.optim import SGD, Adam

from caudex.cli import main as cli
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.envs import Env, Outcome
from caudex.experience import EnvRunner, Replay
from caudex.signals.deterministic_policy import DeterministicPolicy
from caudex.signals.policies import Bounds
from caudex.signals.soft_actor_critic import SoftActorCritic, Squashed
from caudex.systems.reward.ddpg import DDPG
from caudex.systems.reward.sac import SAC
from caudex.trunks import MLP, Identity

ACTIONS = {"low": [-2.0, 0.0], "high": [2.0, 1.0]}
BOTH = pytest.mark.parametrize("kind", [SoftActorCritic, DeterministicPolicy])


class Line(Env):
    """A point that is pushed; the nearer it is to 0, the better. 20 steps; beyond 3 all is over."""

    name, exact = "Line", True

    def __init__(self, count=4, scale=1.0):
        self.count = count
        self.observation = SimpleNamespace(shape=(1,), dtype=np.float32)
        bound = np.full(1, scale, np.float32)
        self.action = SimpleNamespace(shape=(1,), dtype=np.float32, low=-bound, high=bound)
        self.where, self.time, self.scale = np.zeros(count, np.float32), np.zeros(count, np.int64), scale

    def reset(self, seeds, which):
        for i in np.flatnonzero(which):
            self.where[i], self.time[i] = np.random.default_rng(seeds[i]).uniform(-2, 2), 0
        return self.where[:, None].copy()

    def step(self, actions):
        assert actions.dtype == np.float32
        assert (np.abs(actions) <= self.action.high).all()
        self.where += 0.5 * actions[:, 0] / self.scale
        self.time += 1
        lost = np.abs(self.where) > 3
        return Outcome(self.where[:, None].copy(), -(self.where.astype(float) ** 2), lost, (self.time == 20) & ~lost)


def batch(count=6, width=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    numbers = partial(torch.randn, generator=draw)
    units = torch.rand(count, 2, generator=draw)
    return SimpleNamespace(
        observations=numbers(count, width),
        actions=torch.lerp(torch.tensor(ACTIONS["low"]), torch.tensor(ACTIONS["high"]), units),
        rewards=numbers(count),
        next_observations=numbers(count, width),
        discounts=torch.full((count,), 0.9),
    )


def learner(kind, trunk=None, optimizer=partial(SGD, lr=0.1), actions=ACTIONS, **settings):
    return Learner(trunk or MLP(3, (8,)), {"policy": kind(actions, (16, 16), **settings)}, optimizer, clip=None)


def constant(network, *values):
    """A network that says the same of everything."""
    last = [part for part in network.modules() if isinstance(part, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor(values))


# --- the squashed normal distribution ------------------------------------------------------------------------------


def test_the_density_is_that_of_torch_distributions():
    mean, log_deviation = torch.randn(50, 3).double(), torch.randn(50, 3).double()
    torch.manual_seed(1)
    actions, log_probs = Squashed(mean, log_deviation).sample()
    torch.manual_seed(1)
    noise = torch.randn_like(mean)
    theirs = TransformedDistribution(Normal(mean, log_deviation.exp()), TanhTransform(cache_size=1))
    before = mean + noise * log_deviation.exp()
    assert torch.equal(actions, before.tanh())
    inside = before.abs().amax(1) < 8  # beyond, theirs rounds
    assert torch.allclose(log_probs[inside], theirs.log_prob(actions).sum(1)[inside], atol=1e-6)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.3), (0.7, 0.9), (-1.5, 0.5)])
def test_the_density_integrates_to_one(mean, deviation):
    actions = torch.linspace(-1, 1, 200_003, dtype=torch.float64)[1:-1, None]
    before = actions.atanh()
    policy = Squashed(torch.full_like(before, mean), torch.full_like(before, math.log(deviation)))
    density = policy.log_prob(before, (before - mean) / deviation).exp()
    assert torch.trapezoid(density, actions[:, 0]).item() == pytest.approx(1, abs=1e-3)


def test_far_out_the_density_is_no_infinity():
    far = torch.tensor([[30.0]])
    found = Squashed(far, torch.zeros(1, 1)).log_prob(far, torch.zeros(1, 1))
    assert found.item() == pytest.approx(-0.5 * math.log(2 * math.pi) - 2 * (math.log(2) - 30))


def test_bounds_are_met_exactly_and_undone():
    bounds = Bounds({"low": [-0.4, 0.1], "high": [0.4, 1234.567]})
    ends = bounds.env(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    assert torch.equal(ends, torch.stack([bounds.low, bounds.high]))
    units = torch.rand(100, 2) * 2 - 1
    assert torch.allclose(bounds.unit(bounds.env(units)), units, atol=1e-5)
    wild = bounds.any(4000)
    assert wild.dtype == torch.float32
    assert (wild >= bounds.low).all()
    assert (wild <= bounds.high).all()
    assert torch.allclose(bounds.unit(wild).mean(0), torch.zeros(2), atol=0.05)
    assert torch.allclose(bounds.unit(wild).var(0), torch.full((2,), 1 / 3), atol=0.03)


@BOTH
def test_the_unit_of_actions_does_not_matter(kind):
    found, given = [], batch()
    for scale in (1.0, 1024.0):
        torch.manual_seed(0)
        mine = learner(kind, actions={name: [scale * x for x in values] for name, values in ACTIONS.items()})
        torch.manual_seed(1)
        found.append(
            mine({"policy": SimpleNamespace(**vars(given) | {"actions": given.actions * scale})})["policy"].loss
        )
    assert torch.allclose(*found, rtol=1e-5)


# --- targets -------------------------------------------------------------------------------------------------------


def remembered(kind):
    """A memory of the line with an episode that was lost and one whose time was up; gamma is a half."""
    mine = learner(kind, Identity(1), actions={"low": [-1.0], "high": [1.0]})
    source = Replay(EnvRunner(Line(2), 0), mine, "policy", 1000, 256, learning_starts=1, gamma=0.5)
    moves = np.array([[1.0], [0.0]], np.float32)
    mine.signals["policy"].explore = lambda *_: torch.from_numpy(moves)
    mine.signals["policy"].random_actions = lambda _: torch.from_numpy(moves)
    for _ in range(45):
        next(source)
    del mine.signals["policy"].explore, mine.signals["policy"].random_actions
    drawn = source.sample()
    lost = (drawn.observations + 0.5 * drawn.actions)[:, 0].abs() > 3
    return mine, SimpleNamespace(**drawn._asdict(), lost=lost)


def test_sac_bootstraps_from_a_time_limit_and_not_from_an_end():
    mine, drawn = remembered(SoftActorCritic)
    signal = mine.signals["policy"]
    lost, still = drawn.lost, drawn.actions[:, 0] == 0
    assert lost.any()
    assert torch.equal(drawn.next_observations[still], drawn.observations[still])  # also where the time was up
    assert torch.equal(drawn.discounts, torch.where(lost, 0.0, 0.5))
    for critic, value in zip(signal.target.copy[2], (4.0, 3.0)):
        constant(critic, value)
    constant(signal.policy, 0.2, -1.0)
    torch.manual_seed(3)
    targets = signal.targets(mine.trunk, drawn, torch.tensor(0.1))
    torch.manual_seed(3)
    _, log_probs = Squashed(torch.full((256, 1), 0.2), torch.full((256, 1), -1.0)).sample()
    assert torch.allclose(targets, drawn.rewards + torch.where(lost, 0.0, 0.5) * (3 - 0.1 * log_probs))


def test_ddpg_bootstraps_from_a_time_limit_and_not_from_an_end():
    mine, drawn = remembered(DeterministicPolicy)
    signal, lost = mine.signals["policy"], drawn.lost
    constant(signal.target.copy[2], 4.0)
    constant(signal.critic, 1.0)
    taught = mine({"policy": drawn})["policy"]
    errors = 1 - (drawn.rewards + torch.where(lost, 0.0, 0.5) * 4)
    assert taught.metrics["critic"].item() == pytest.approx(errors.square().mean().item(), rel=1e-5)


# --- what moves what -----------------------------------------------------------------------------------------------


def gradients(loss, module):
    weights = list(module.parameters())
    found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    return [None if each is None or not each.any() else each for each in found]


def same(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other))


@BOTH
def test_each_part_moves_its_own_weights(kind):
    mine = learner(kind)
    signal, taught = mine.signals["policy"], mine({"policy": batch()})["policy"]
    critics = signal.critics if kind is SoftActorCritic else signal.critic
    for taught_by_critic in (mine.trunk, critics):
        part = gradients(taught.metrics["critic"], taught_by_critic)
        assert all(each is not None for each in part)
        assert same(gradients(taught.loss, taught_by_critic), part)  # the other parts add nothing
    assert not any(each is not None for each in gradients(taught.metrics["critic"], signal.policy))
    assert all(each is not None for each in gradients(taught.loss, signal.policy))
    assert all(p.requires_grad for p in critics.parameters())
    assert not any(p.requires_grad for p in signal.target.parameters())


def test_the_policy_climbs_the_lower_critic_and_entropy():
    mine, given = learner(SoftActorCritic), batch()
    signal = mine.signals["policy"]
    for critic, value in zip(signal.critics, (4.0, 3.0)):
        constant(critic, value)
    with torch.no_grad():
        signal.critics[1][-1].weight.fill_(0.01)
    torch.manual_seed(5)
    found = gradients(mine({"policy": given})["policy"].loss, signal.policy)
    torch.manual_seed(5)
    signal.targets(mine.trunk, given, torch.tensor(1.0))  # draws, too
    features = mine.trunk(given.observations).pooled.detach()
    actions, log_probs = signal.policy_of(features).sample()
    expected = (log_probs - signal.critics[1](torch.cat([features, actions], 1)).squeeze(1)).mean()
    for one, other in zip(found, gradients(expected, signal.policy)):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(("log_deviation", "colder"), [(0.0, True), (-6.0, False)])
def test_the_temperature_falls_where_the_policy_is_too_random_and_rises_where_it_is_not(log_deviation, colder):
    mine = learner(SoftActorCritic, temperature=0.5)
    signal = mine.signals["policy"]
    constant(signal.policy, 0.0, 0.0, log_deviation, log_deviation)
    taught = mine.step({"policy": batch(64)})["policy"]
    assert (signal.log_temperature.exp() < 0.5).item() == colder
    assert signal.log_temperature.grad.item() == pytest.approx(taught.metrics["entropy"].item() + 2)


@BOTH
def test_slow_copies_follow_by_their_decay(kind):
    mine = learner(kind, decay=0.9)
    signal = mine.signals["policy"]
    before = [p.clone() for p in signal.target.parameters()]
    mine.step({"policy": batch()})
    its = [p for module in signal.target.followed[0] for p in module.parameters()]
    for old, new, now in zip(before, its, signal.target.parameters()):
        assert not torch.equal(old, new)
        assert torch.allclose(now, 0.9 * old + 0.1 * new, atol=1e-6)


def test_settings_of_ddpg_stand_where_the_paper_has_them():
    mine = learner(DeterministicPolicy, optimizer=partial(Adam, lr=1e-3), rate=1e-4)
    signal, groups = mine.signals["policy"], mine.optimizer.param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups[:2]] == [(1e-4, 0), (1e-3, 1e-2)]
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in signal.critic.parameters()}
    for last in (signal.policy[0][-1], signal.critic.rest[-1]):
        assert last.weight.abs().max() <= 3e-3
        assert last.weight.abs().max() > 2e-3
    constant(signal.policy, 0.0, 0.5)
    seen = torch.zeros(4000, 3)
    assert torch.equal(signal.act(mine.trunk, seen[:1]), signal.bounds.env(torch.tensor([[0.0, 0.5]]).tanh()))
    drawn = signal.explore(mine.trunk, seen, 0.5)
    assert torch.allclose(drawn.std(0), torch.tensor([0.2, 0.05]), rtol=0.1)  # a tenth of half the range


# --- what they learn -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SoftActorCritic, partial(DeterministicPolicy, decay=0.99)], ids=["sac", "ddpg"])
def test_a_point_learns_to_stay_in_the_middle(kind):
    torch.manual_seed(0)
    mine = learner(kind, Identity(1), partial(Adam, lr=3e-3), {"low": [-5.0], "high": [5.0]})
    runner = EnvRunner(Line(4, scale=5.0), 0)
    fit(
        mine, {"policy": Replay(runner, mine, "policy", 10_000, 64, learning_starts=200, every=2, gamma=0.9)}, steps=800
    )
    signal = mine.signals["policy"]

    def earned(choose):
        there = EnvRunner(Line(20, scale=5.0), 1)
        while len(there.ended) < 20:
            there.step(choose(there.observations))
        return np.mean([total for _, total, _ in there.ended])

    with torch.no_grad():
        own = earned(lambda seen: signal.act(mine.trunk, torch.from_numpy(seen)).numpy())
    chance = earned(lambda seen: signal.random_actions(len(seen)).numpy())
    assert own > -6  # from 1 away on average, in steps of a half
    assert chance < -20


@pytest.mark.parametrize("system", [SAC, DDPG])
def test_a_run_that_was_interrupted_ends_like_one_that_was_not(system, tmp_path, monkeypatch):
    settings = {
        "env": "Pendulum-v1",
        "total_steps": 900,
        "learning_starts": 200,
        "num_envs": 2,
        "batch": 16,
        "width": 8 if system is SAC else (8, 8),
        "every": 3,
    }

    def trained(name):
        run = Run(tmp_path / name, 7, Hardware(device="cpu", save_seconds=0.05))
        run.quiet = True
        return system(**settings, seed=7).train(run), run

    monkeypatch.setattr("caudex.systems.reward.shared.EPISODES", 1)
    whole, _ = trained("whole")
    kind = type(whole.signals["policy"])
    loss, calls = kind.loss, []

    def dies(self, trunk, batch):
        calls.append(1)
        if len(calls) in (120, 200):
            raise KeyboardInterrupt
        return loss(self, trunk, batch)

    monkeypatch.setattr(kind, "loss", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            trained("cut")
    halves, run = trained("cut")
    assert list((run.path / "stages/training/replay").glob("*.safetensors"))
    assert len(calls) < 120 + 80 + 233  # it did not begin anew
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, halves.state_dict()[name]), name
    rows = [(tmp_path / name / "stages/training/metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", ["sac", "ddpg"])
def test_a_world_of_a_few_actions_is_refused_in_one_sentence(name, tmp_path):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as end:
        cli.main(["train", name, "--env", "CartPole-v1", "--run", str(tmp_path / "run")])
    assert end.value.code
    assert said.getvalue().strip() == (
        f"caudex: CartPole-v1 is acted in by choosing among 2 actions, {name} acts with numbers; take dqn or ppo."
    )


def test_settings_out_of_range_are_refused():
    for settings in ({"width": 0}, {"decay": 2.0}, {"temperature": 0.0}, {"buffer_size": 1}, {"every": 0}):
        with pytest.raises(CaudexError, match=f"--{next(iter(settings))}"):
            SAC(**settings).check()
    with pytest.raises(CaudexError, match="--width 400 0: each layer needs one unit"):
        DDPG(width=(400, 0)).check()
