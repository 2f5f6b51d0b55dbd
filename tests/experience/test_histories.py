"""Trials as histories: nothing is cut inside them."""

import pytest
import torch

from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.specs import ActionSpec
from caudex.envs.meta import trials
from caudex.experience import Histories
from caudex.models.meta_agent import TrialEncoder
from caudex.signals.policy_gradient import PPOActorCritic
from caudex.trunks import GRU, CausalTransformer, Identity, Recurrent

CORES = pytest.mark.parametrize("core", [GRU, CausalTransformer])


def make_histories(env, gae_lambda=1.0, batch=4, epochs=1, seed=0):
    torch.manual_seed(0)
    policy = PPOActorCritic(ActionSpec(count=env.num_actions))
    learner = Learner(Recurrent(Identity(env.observation_space.shape[0]), 8), {"policy": policy})
    return Histories(env, learner, "policy", batch, epochs, gamma=0.5, gae_lambda=gae_lambda, seed=seed), learner


def test_to_act_after_more_steps_costs_more_attention_and_so_in_every_round():
    policy, env = PPOActorCritic(ActionSpec(count=3)), trials.make_trials("bandits", 4, arms=3, pulls=6)
    learner = Learner(Recurrent(Identity(5), 8, CausalTransformer), {"policy": policy})
    source = Histories(env, learner, "policy", 4, 1)
    next(source)
    linear = 2 * 2 * 5 * 8 + 2 * 2 * 12 * 8**2 + 2 * 3 * 8  # of one step: the linear maps, and the policy's
    attention = sum(2 * 4 * (before + 1) * 8 for before in range(6))
    assert source.flops == 4 * (6 * linear + attention + 6 * (2 * 3 * 8 + 2 * 8))  # and both heads' of the whole
    once = source.flops
    next(source)
    assert source.flops == 2 * once


@CORES
def test_what_is_left_out_as_trials_end_changes_nothing_of_the_others(core, monkeypatch):
    monkeypatch.setattr("caudex.experience.histories.COMPACT_BELOW", 1.0)  # with each trial that ends
    env = trials.make_trials("mazes", 64, view="above", episodes=1)
    torch.manual_seed(0)
    learner = Learner(
        Recurrent(TrialEncoder(env.family.observation_space.shape, 5), 8, core),
        {"policy": PPOActorCritic(ActionSpec(count=3))},
    )
    histories = Histories(env, learner, "policy", 64, 1, seed=1).collect()
    assert len(set(histories.observations.lengths.tolist())) > 5
    with torch.no_grad():  # each trial by itself, in one call
        features = torch.cat(
            [learner.trunk(histories.select(torch.tensor([i])).observations).pooled for i in range(64)]
        )
        together = learner.trunk(histories.observations).pooled
        log_probs, values = learner.signals["policy"].evaluate_actions(features, histories.actions)
    torch.testing.assert_close(together, features, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(histories.log_probs, log_probs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(histories.values, values, atol=1e-5, rtol=1e-4)


def test_some_trials_of_a_round_are_those_trials():
    env = trials.make_trials("mazes", 64, view="above", episodes=1)
    shape = env.family.observation_space.shape
    torch.manual_seed(0)
    learner = Learner(Recurrent(TrialEncoder(shape, 5), 8), {"policy": PPOActorCritic(ActionSpec(count=3))})
    histories = Histories(env, learner, "policy", 64, 1, seed=1).collect()
    lengths = histories.observations.lengths
    rows = torch.stack([lengths.argmax(), lengths.argmin()])
    long, short = lengths[rows].tolist()
    assert long > short > 1
    some = histories.select(rows)
    parts = histories.rewards.split(lengths.tolist())
    assert some.num_examples == 2 and torch.equal(some.rewards, torch.cat([parts[row] for row in rows]))
    shown, valid = some.next_task_observations(shape)
    assert valid.tolist() == [t < length - 1 for length in (long, short) for t in range(length)]
    after = trials.split_observations(histories.observations.values[rows[1], 1:short], shape)
    assert torch.equal(shown[long - 1 :], after.task_observation)
    assert torch.equal(parts[rows[1]][:-1], after.feedback[:, -2])  # a step's reward is seen with what came after it


@pytest.mark.parametrize("gae_lambda, progress", [(1.0, 0.0), (0.25, 1.0)])  # lambda rises to 1
def test_returns_go_through_the_ends_of_episodes(gae_lambda, progress):
    env = trials.make_trials("bandits", 4, arms=3, pulls=5)
    source, learner = make_histories(env, gae_lambda)
    learner.progress = progress
    history = next(source)
    rewards = history.observations.values[:, 1:, -2] / source.reward_normalizer.std  # each pull's is seen at the next
    returns = history.returns.view(4, 5)
    for t in range(3):  # every pull is an episode
        expected = rewards[:, t] + 0.5 * rewards[:, t + 1] + 0.25 * returns[:, t + 2]
        torch.testing.assert_close(returns[:, t], expected)
    last_rewards = returns[:, -1] * source.reward_normalizer.std
    assert set(last_rewards.round(decimals=4).tolist()) <= {0.0, 1.0}  # and nothing behind the trial counts


def test_trials_of_different_lengths_give_their_real_steps():
    env = trials.make_trials("mazes", 3, size="small", view="above", episodes=1)
    env.family.max_episode_steps = 40
    torch.manual_seed(0)
    seeing = TrialEncoder(env.family.observation_space.shape, env.num_actions + 2)
    learner = Learner(Recurrent(seeing, 8), {"policy": PPOActorCritic(ActionSpec(count=3))})
    source = Histories(env, learner, "policy", 3, 1, seed=0)
    history = next(source)
    lengths = history.observations.lengths
    assert source.samples_seen == int(lengths.sum()) == len(history.actions) == len(history.advantages)
    log_probs, _ = learner.signals["policy"].evaluate_actions(
        learner.trunk(history.observations).pooled, history.actions
    )
    torch.testing.assert_close(log_probs, history.log_probs, rtol=1e-4, atol=1e-5)


def test_rounds_have_new_tasks_and_the_same_ones_after_resuming():
    first, _ = make_histories(trials.make_trials("bandits", 4, pulls=3))
    one, two = next(first), next(first)
    assert not torch.equal(one.returns, two.returns)
    again, _ = make_histories(trials.make_trials("bandits", 4, pulls=3))
    next(again)
    state = again.state_dict()
    resumed, _ = make_histories(trials.make_trials("bandits", 4, pulls=3))
    resumed.load_state_dict(state)
    assert resumed.rounds == 1 and resumed.samples_seen == 12


def test_a_budget_of_experience_leaves_no_round_unused():
    source, learner = make_histories(trials.make_trials("bandits", 4, pulls=3), batch=2, epochs=3)
    steps = []
    fit(learner, {"policy": source}, samples=24, step=lambda *_: steps.append(source.samples_seen) or {})
    assert steps == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24] and source.env_steps == 24
