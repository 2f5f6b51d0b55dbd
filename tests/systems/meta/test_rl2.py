"""Trials as histories: nothing is cut inside them; an agent that learned to learn, its resuming and its commands."""

from functools import partial

import numpy as np
import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from pytest import approx
from torch import nn

from caudex.core.compute import counting
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.run import Run
from caudex.core.signal import signal_from_spec
from caudex.envs.meta import trials
from caudex.envs.meta.trials import Played
from caudex.evaluation.baselines.bandits import optimum
from caudex.evaluation.meta_test import lost
from caudex.experience import Histories, Within
from caudex.models.meta_agent import Observed
from caudex.signals.outcomes import over_variance
from caudex.signals.policy_gradient import ClippedPolicy
from caudex.signals.trust_region import TrustRegion
from caudex.systems.meta import rl2
from caudex.systems.meta.rl2 import RL2
from caudex.trunks import GRU, Causal, Identity, Padded, Recurrent

CORES = pytest.mark.parametrize("core", [GRU, Causal])


def histories(env, gae_lambda=1.0, batch=4, epochs=1, seed=0):
    torch.manual_seed(0)
    policy = ClippedPolicy({"count": env.choices})
    learner = Learner(Recurrent(Identity(env.observation.shape[0]), 8), {"policy": policy})
    return Histories(env, learner, "policy", batch, epochs, gamma=0.5, gae_lambda=gae_lambda, seed=seed), learner


def test_the_gru_goes_back_as_torch_does():
    torch.manual_seed(0)
    core, x = GRU(3, 4).double(), torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)
    for weight in core.parameters():
        nn.init.uniform_(weight, -0.5, 0.5)
    inputs, told = [x, *core.parameters()], torch.randn(2, 5, 4, dtype=torch.double)
    passed, theirs = core(x)[0], nn.GRU.forward(core, x)[0]
    assert "Whole" in passed.grad_fn.next_functions[0][0].name()
    for own, other in zip(*(torch.autograd.grad(each, inputs, told) for each in (passed, theirs)), strict=True):
        torch.testing.assert_close(own, other)
    assert torch.autograd.gradgradcheck(lambda x, *weights: core(x)[0], inputs)  # trpo asks for it


@CORES
def test_a_trial_in_one_call_is_the_trial_step_by_step(core):
    trunk, x = Recurrent(Identity(3), 8, core), torch.randn(2, 70, 3)  # attention has room for 64 at first
    within = Within(trunk)
    with torch.no_grad():
        steps = torch.stack([within(x[:, t]).pooled for t in range(70)], 1)
    torch.testing.assert_close(trunk(x).pooled, steps)
    other = x.clone()
    other[:, 60] += 1
    changed = trunk(other).pooled
    assert (changed[:, -1] != steps[:, -1]).any()  # that step is remembered to the last
    torch.testing.assert_close(changed[:, :60], steps[:, :60])  # and unknown to those before it


@CORES
def test_padding_is_never_seen(core):
    trunk, x = Recurrent(Identity(3), 8, core), torch.randn(2, 6, 3)
    seen = trunk(Padded(x, torch.tensor([2, 6]))).pooled
    torch.testing.assert_close(seen, torch.cat([trunk(x[:1, :2]).pooled[0], trunk(x[1:]).pooled[0]]))


@CORES
def test_operations_of_a_trial_are_those_of_its_matrices(core):
    trunk = Recurrent(Identity(3), 8, core)
    with counting(trunk) as counter, torch.no_grad():
        trunk(torch.randn(2, 7, 3))
    by_hand = {GRU: 6 * 7 * 8 * (3 + 8), Causal: 2 * 7 * 2 * 3 * 8 + 2 * (2 * 7 * 12 * 8**2 + 4 * 7 * 7 * 8)}[core]
    assert counter.flops == 2 * by_hand == 2 * trunk.flops((7, 3))


def test_to_act_after_more_steps_costs_more_attention_and_so_in_every_round():
    policy, env = ClippedPolicy({"count": 3}), trials.make("bandits", 4, arms=3, pulls=6)
    learner = Learner(Recurrent(Identity(5), 8, Causal), {"policy": policy})
    source = Histories(env, learner, "policy", 4, 1)
    next(source)
    own = 2 * 2 * 5 * 8 + 2 * 2 * 12 * 8**2 + 2 * 3 * 8  # of one step: the linear maps, and the policy's
    attention = sum(2 * 4 * (before + 1) * 8 for before in range(6))
    assert source.flops == 4 * (6 * own + attention + 6 * (2 * 3 * 8 + 2 * 8))  # and both heads' of the whole
    once = source.flops
    next(source)
    assert source.flops == 2 * once


@CORES
def test_what_is_left_out_as_trials_end_changes_nothing_of_the_others(core, monkeypatch):
    monkeypatch.setattr("caudex.experience.histories.SPARE", 1.0)  # with each trial that ends
    env = trials.make("mazes", 64, view="above", episodes=1)
    torch.manual_seed(0)
    learner = Learner(
        Recurrent(Observed(env.family.observation.shape, 5), 8, core), {"policy": ClippedPolicy({"count": 3})}
    )
    whole = Histories(env, learner, "policy", 64, 1, seed=1).collect()
    assert len(set(whole.observations.lengths.tolist())) > 5
    with torch.no_grad():  # each trial by itself, in one call
        features = torch.cat([learner.trunk(whole.of(torch.tensor([i])).observations).pooled for i in range(64)])
        together = learner.trunk(whole.observations).pooled
        log_probs, values = learner.signals["policy"].judge(features, whole.actions)
    torch.testing.assert_close(together, features, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole.log_probs, log_probs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole.values, values, atol=1e-5, rtol=1e-4)


def test_some_trials_of_a_round_are_those_trials():
    env = trials.make("mazes", 64, view="above", episodes=1)
    shape = env.family.observation.shape
    torch.manual_seed(0)
    learner = Learner(Recurrent(Observed(shape, 5), 8), {"policy": ClippedPolicy({"count": 3})})
    whole = Histories(env, learner, "policy", 64, 1, seed=1).collect()
    lengths = whole.observations.lengths
    rows = torch.stack([lengths.argmax(), lengths.argmin()])
    long, short = lengths[rows].tolist()
    assert long > short > 1
    some = whole.of(rows)
    parts = whole.rewards.split(lengths.tolist())
    assert some.examples == 2 and torch.equal(some.rewards, torch.cat([parts[row] for row in rows]))
    shown, goes_on = some.next_shown(shape)
    assert goes_on.tolist() == [t < length - 1 for length in (long, short) for t in range(length)]
    after = trials.seen(whole.observations.values[rows[1], 1:short], shape)
    assert torch.equal(shown[long - 1 :], after.shown)
    assert torch.equal(parts[rows[1]][:-1], after.before[:, -2])  # a step's reward is seen with what came after it


@pytest.mark.parametrize("gae_lambda, progress", [(1.0, 0.0), (0.25, 1.0)])  # lambda rises to 1
def test_what_a_reward_is_worth_goes_through_the_ends_of_episodes(gae_lambda, progress):
    env = trials.make("bandits", 4, arms=3, pulls=5)
    source, learner = histories(env, gae_lambda)
    learner.progress = progress
    history = next(source)
    rewards = history.observations.values[:, 1:, -2] / source.scale.deviation  # each pull's is seen at the next
    returns = history.returns.view(4, 5)
    for t in range(3):  # every pull is an episode
        expected = rewards[:, t] + 0.5 * rewards[:, t + 1] + 0.25 * returns[:, t + 2]
        torch.testing.assert_close(returns[:, t], expected)
    paid = returns[:, -1] * source.scale.deviation
    assert set(paid.round(decimals=4).tolist()) <= {0.0, 1.0}  # and nothing behind the trial counts


def test_trials_of_different_lengths_give_their_real_steps():
    env = trials.make("mazes", 3, size="small", view="above", episodes=1)
    env.family.limit = 40
    torch.manual_seed(0)
    seeing = Observed(env.family.observation.shape, env.choices + 2)
    learner = Learner(Recurrent(seeing, 8), {"policy": ClippedPolicy({"count": 3})})
    source = Histories(env, learner, "policy", 3, 1, seed=0)
    history = next(source)
    lengths = history.observations.lengths
    assert source.samples_seen == int(lengths.sum()) == len(history.actions) == len(history.advantages)
    log_probs, _ = learner.signals["policy"].judge(learner.trunk(history.observations).pooled, history.actions)
    torch.testing.assert_close(log_probs, history.log_probs, rtol=1e-4, atol=1e-5)


def test_rounds_have_new_tasks_and_the_same_ones_after_resuming():
    first, _ = histories(trials.make("bandits", 4, pulls=3))
    one, two = next(first), next(first)
    assert not torch.equal(one.returns, two.returns)
    again, _ = histories(trials.make("bandits", 4, pulls=3))
    next(again)
    state = again.state_dict()
    resumed, _ = histories(trials.make("bandits", 4, pulls=3))
    resumed.load_state_dict(state)
    assert resumed.rounds == 1 and resumed.samples_seen == 12


def test_a_budget_of_experience_leaves_no_round_unused():
    source, learner = histories(trials.make("bandits", 4, pulls=3), batch=2, epochs=3)
    steps = []
    fit(learner, {"policy": source}, samples=24, step=lambda *_: steps.append(source.samples_seen) or {})
    assert steps == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24] and source.acted == 24


def trained(folder, **settings):
    run = Run(folder, 3, Hardware(device="cpu", save_seconds=0.0))
    run.quiet = True
    return RL2(**{"seed": 3, "arms": 2, "pulls": 5, "tasks": 200, "batch": 50} | settings).train(run)


@pytest.mark.parametrize(
    "how",
    [
        {"total_steps": 120_000},
        {"total_steps": 120_000, "memory": "transformer", "width": 16},
        {"total_steps": 60_000, "by": "trpo", "separate": True, "region": 0.02},
        {"total_steps": 60_000, "also": ("reward:0.1",)},
    ],
    ids=["gru", "transformer", "trpo", "also-reward"],
)
def test_it_learns_to_learn(tmp_path, how):
    agent = trained(tmp_path / "run", **{"gae_lambda": 0.9, "lr": 0.01, "width": 32} | how)
    earned = agent.play(4000, seed=1).returns.sum(1)
    assert earned.mean() > 2.5 + 0.5 * (optimum(2, 5) - 2.5)
    assert optimum(2, 5) > earned.mean() - 4 * earned.std() / 4000**0.5


def test_the_step_within_a_trust_region_is_within_it_and_a_gain_whatever_remembers():
    env = trials.make("bandits", 40, arms=3, pulls=5)
    for core in (GRU, Causal):  # both are differentiated twice for it
        torch.manual_seed(0)
        policy = TrustRegion({"count": 3}, size=0.02, baseline=Recurrent(Identity(5), 8, core))
        learner = Learner(Recurrent(Identity(5), 8, core), {"policy": policy})
        whole = next(Histories(env, learner, "policy", 40, 1))
        own = [weight.clone() for weight in policy.baseline.parameters()]
        figures = policy.improve(learner.trunk, whole)
        assert 0.002 < figures["kl"] <= 0.02 and figures["gain"] > 0
        assert all(map(torch.equal, own, policy.baseline.parameters()))
        before = [weight.clone() for weight in learner.trunk.parameters()]
        learner.step({"policy": whole})  # of the value alone
        assert all(map(torch.equal, before, learner.trunk.parameters()))
        assert not any(map(torch.equal, own, policy.baseline.parameters()))


def test_a_separate_baseline_is_what_the_value_is_told_from():
    env = trials.make("bandits", 4, arms=3, pulls=5)
    policy = ClippedPolicy({"count": 3}, baseline=Recurrent(Identity(5), 16))
    learner = Learner(Recurrent(Identity(5), 8), {"policy": policy})
    history = next(Histories(env, learner, "policy", 3, 1))
    distribution, values = policy.both(learner.trunk, history.observations)
    torch.testing.assert_close(values, history.values)
    torch.testing.assert_close(distribution.log_prob(history.actions), history.log_probs)
    values.sum().backward()
    assert all(weight.grad is None for weight in learner.trunk.parameters())


def test_what_comes_of_an_action_is_learned_as_far_as_it_can_be():
    env = trials.make("tabular-mdps", 100, states=3, actions=2, horizon=2, episodes=4)
    facts = {"env": env.name, "shape": [3], "actions": env.actions}
    torch.manual_seed(0)
    signals = dict(signal_from_spec(name, facts) for name in ("next-observation", "reward:0.5"))
    trunk = Recurrent(Observed((3,), 4), 16)
    learner = Learner(trunk, {"policy": ClippedPolicy({"count": 2}), **signals}, partial(Adam, lr=0.01))
    batch = next(Histories(env, learner, "policy", 100, 1))
    shown, goes_on = batch.next_shown((3,))
    assert torch.equal(shown.sum(1), torch.ones(100 * 7)) and int(goes_on.sum()) == 100 * 7
    assert torch.equal(shown.view(100, 7, 3)[:, 1::2, 0], torch.ones(100, 3))  # each episode begins in state 0
    for true in (shown, batch.rewards):
        torch.testing.assert_close(over_variance(true.mean(0), true), torch.tensor(1.0))
    losses = [learner.step(dict.fromkeys(learner.signals, batch)) for _ in range(150)]
    assert all(float(losses[-1][name].loss.detach()) < 0.8 for name in signals)


def test_pictures_are_foretold_in_parts():
    torch.manual_seed(0)
    _, signal = signal_from_spec("next-observation", {"env": "mazes", "shape": [3, 28, 28], "actions": {"count": 3}})
    shown = torch.zeros(2, 3, 28, 28, dtype=torch.uint8)
    shown[1, 0, :14] = 255  # the upper half is red
    told = signal.target(shown).view(2, 3, 8, 8)
    assert not told[0].any() and not told[1, 1:].any() and (told[1, 0, :4] == 1).all() and not told[1, 0, 4:].any()


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole = trained(tmp_path / "whole", total_steps=20_000)

    class Stopped(Exception):
        pass

    collect, calls = Histories.collect, []

    def stops(self):
        calls.append(1)
        if len(calls) == 12:
            raise Stopped
        return collect(self)

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(Histories, "collect", stops)
        trained(tmp_path / "stopped", total_steps=20_000)
    resumed = trained(tmp_path / "stopped", total_steps=20_000)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_new_tasks_are_tried_beside_the_classics(tmp_path):
    run_cli("train", "rl2", "--scale", "tiny", "--pulls", "10", "--threads", "1", "--run", tmp_path / "run")
    said = run_cli("meta-test", tmp_path / "run", "--tasks", "300").out
    assert "gittins" in said and "6.660" in said and (tmp_path / "run" / "figures" / "regret.png").exists()
    assert said == run_cli("meta-test", tmp_path / "run", "--tasks", "300").out
    assert_refused("meta-test", tmp_path / "run", "--tasks", "1", because="tasks must be 2 to 1,000,000")


def test_new_sizes_are_tried_and_other_arms_refused(tmp_path):
    run = tmp_path / "run"
    run_cli("train", "rl2", "--scale", "tiny", "--pulls", "5", "--threads", "1", "--run", run)
    said = run_cli("meta-test", run, "--tasks", "300", "--pulls", "12").out
    assert f"{optimum(5, 12):.3f}" in said and (run / "figures" / "regret-pulls-12.png").exists()
    assert_refused(
        "meta-test", run, "--arms", "20", because="bandits with arms 20: 0 numbers to see, 20 actions; the agent"
    )
    assert_refused("meta-test", run, "--size", "large", because="no setting 'size'")
    assert_refused(
        "meta-test", run, "--env", "mazes", because="images (3, 32, 32) to see, 3 actions; the agent learned"
    )


def test_who_does_not_find_the_ball_again_is_told_and_shown(tmp_path, monkeypatch):
    played = Played(np.zeros((4, 2)), np.array([[9, 5], [5, 9], [250, 250], [7, 7]]), np.zeros((4, 2)))
    failed, often = lost(trials.make("mazes", 1, view="above"), played)
    assert failed.tolist() == [False, True, True, False] and often.startswith("50.0% (15.0% to 85.0%)")
    monkeypatch.setattr(rl2, "TESTED", 8)
    run, size = tmp_path / "run", ("--tasks", "8", "--batch", "8", "--total-steps", "500", "--width", "8")
    run_cli("train", "rl2", "--env", "mazes", "--view", "above", *size, "--threads", "1", "--run", run)
    said = " ".join(run_cli("meta-test", run, "--tasks", "10", "--episodes", "3").out.split())
    assert "of 10 new mazes the agent did not learn where the ball is" in said
    assert (run / "figures" / "mazes-episodes-3.png").exists()


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path):
    where = ("--run", tmp_path / "run")
    assert_refused("train", "rl2", "--also", "next-observation", *where, because="bandits show nothing")
    assert_refused("train", "rl2", "--also", "rotation", *where, because="needs unlabelled images")
    assert_refused("train", "ppo", "--also", "reward", *where, because="it needs trials of one task after the other")
    assert_refused("train", "rl2", "--by", "trpo", "--also", "reward", *where, because="for the policy alone")
    assert_refused("train", "rl2", "--memory", "transformer", "--width", "12", *where, because="among 4 heads")
    assert_refused("train", "rl2", "--env", "bandit", *where, because="Did you mean bandits?")
    assert_refused(
        "train", "rl2", "--memory", "lstm", *where, because="--memory lstm is not one of 'gru', 'transformer'"
    )
    assert_refused("train", "rl2", "--arms", "two", *where, because="--arms two is not a whole number")
    assert_refused("train", "rl2", "--arms", "0", *where, because="--arms 0 is out of range")
    assert_refused("train", "rl2", "--env", "mazes", "--arms", "5", *where, because="no setting 'arms'")
    assert_refused("train", "rl2", "--batch", "501", *where, because="more than the trials of a round")
    assert_refused(
        "train", "rl2", "--tasks", "1000000", "--pulls", "1000000", *where, because="--tasks 1,000,000 needs"
    )
    assert_refused("train", "rl2", "--tasks", "0", *where, because="--tasks 0 is out of range")


def test_the_agents_tasks_are_none_that_it_learned_from():
    agent_tasks = trials.make("bandits", 3, test=True)
    learned = trials.make("bandits", 3)
    for env in (agent_tasks, learned):
        env.reset(np.arange(3), np.ones(3, bool))
    assert agent_tasks.family.means.ravel().tolist() != approx(learned.family.means.ravel().tolist())
