"""Acting, and what is kept of it: known answers, and killed runs that go on as if nothing had been."""

import math

import numpy as np
import pytest
import torch
from helpers.environments import Clock, ClockWithLives, clock_replay
from helpers.interruption import Killed, killed_after
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from caudex import envs as envs
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.experience import EnvRunner, Priorities, Replay, Rollout, Rollouts, Scale, gae
from caudex.models.agent import at_random, played
from caudex.signals.policy_gradient import ActorCritic, ClippedPolicy, standardised
from caudex.signals.q_learning import NoisyLinear, QLearning, project_distribution, quiet
from caudex.systems.reward import shared as reward
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO
from caudex.trunks import Identity, Normalised

# -- returns --------------------------------------------------------------------------------------------------------


def test_a_time_limit_bootstraps_and_a_death_does_not():
    # three steps; after the second the episode is cut (value of the true last observation: 4) and a new one begins
    rewards, values, after = [1, 1, 1], [0, 0, 0], [0, 4, 5]
    cut = gae(rewards, values, after, [0, 0, 0], [0, 1, 0], gamma=0.5, gae_lambda=1.0)
    assert cut == approx([2.5, 3.0, 3.5])
    dead = gae(rewards, values, after, [0, 1, 0], [0, 0, 0], gamma=0.5, gae_lambda=1.0)
    assert dead == approx([1.5, 1.0, 3.5])


def test_lambda_zero_is_one_step_and_lambda_one_the_whole_return():
    rewards, values, after = [1.0, 2.0, 3.0], [5.0, 6.0, 7.0], [6.0, 7.0, 8.0]
    assert gae(rewards, values, after, [0] * 3, [0] * 3, 0.9, 0.0) == approx([1.4, 2.3, 3.2])
    whole = 1 + 0.9 * 2 + 0.81 * 3 + 0.729 * 8
    assert gae(rewards, values, after, [0] * 3, [0] * 3, 0.9, 1.0)[0] == approx(whole - 5)


def test_both_conventions_for_the_end_of_the_time_agree():
    # SB3 adds gamma * V(last) to the reward of the step that was cut, and lets the trace end there as at a death
    rewards, values, after, cut = np.array([1.0, 2.0, 3.0]), [0.3, 0.2, 0.1], np.array([0.2, 9.0, 0.5]), [0, 1, 0]
    ours = gae(rewards, values, after, [0] * 3, cut, 0.9, 0.8)
    assert ours == approx(gae(rewards + 0.9 * after * cut, values, after, cut, [0] * 3, 0.9, 0.8))


def test_rewards_are_divided_by_the_deviation_of_their_discounted_sum():
    scale, rewards, over = Scale(2, 0.9), np.random.default_rng(0).normal(size=(500, 2)), np.zeros((500, 2), bool)
    over[99, 0] = True
    sums = [np.zeros(2)]
    for reward_ in rewards:
        goes_on = [len(sums) != 101, True]  # the first episode of the first ends with step 99
        sums.append(0.9 * sums[-1] * goes_on + reward_)
    found = np.concatenate([scale(rewards[:200], over[:200]), scale(rewards[200:], over[200:])])
    assert found[:200] == approx(rewards[:200] / np.std(sums[1:201]), rel=1e-2)
    assert found[200:] == approx(rewards[200:] / np.std(sums[1:]), rel=1e-2)


# -- acting ---------------------------------------------------------------------------------------------------------


def test_an_episode_begins_where_one_has_ended_and_its_last_observation_is_told():
    runner = EnvRunner(Clock(3), seed=1)
    seeds, lives = runner.observations[:, 0].copy(), []
    for step in range(1, 5):
        lived = runner.step(np.zeros(3, np.int64))
        lives.append(lived)
        if not lived.begun.any():
            assert (lived.next_observations[:, 1] == step).all() and (
                runner.observations == lived.next_observations
            ).all()
    for i, seed in enumerate(seeds):
        length = 3 if seed % 2 == 0 else 4
        end = lives[length - 1]
        assert end.terminated[i] == (length == 3) and end.truncated[i] == (length == 4) and end.begun[i]
        assert tuple(end.next_observations[i]) == (seed, length)
    told = {place: (total, length) for place, total, length in runner.ended[:3]}
    assert all(total == length * (length + 1) / 2 for total, length in told.values())


def test_the_first_frame_of_an_episode_fills_the_stack():
    runner = EnvRunner(Clock(1, images=True), seed=1, stack=3)
    assert runner.shape == (3, 2, 2)
    frames = []
    for _ in range(6):
        frames.append(runner.observations[0, :, 0, 0].tolist())
        lived = runner.step(np.zeros(1, np.int64))
    assert lived.next_observations.shape == (1, 3, 2, 2) and frames[:3] == [[0, 0, 0], [0, 0, 1], [0, 1, 2]]
    assert [0, 0, 0] in frames[3:]


@given(steps=st.integers(0, 11), count=st.integers(1, 4))
def test_acting_goes_on_exactly(steps, count):
    one, other = EnvRunner(Clock(count), seed=3), EnvRunner(Clock(count), seed=3)
    for _ in range(steps):
        one.step(np.zeros(count, np.int64))
    other.load_state_dict(one.state_dict())
    for _ in range(6):
        a, b = (runner.step(np.zeros(count, np.int64)) for runner in (one, other))
        assert all(np.array_equal(x, y) for x, y in zip(a, b))
    assert one.ended == other.ended


def test_a_world_that_changed_or_has_other_numbers_is_refused():
    state = EnvRunner(Clock(2), seed=3).state_dict()
    with pytest.raises(CaudexError, match="has 2 environments, not 3; environments must be 2 again"):
        EnvRunner(Clock(3), seed=3).load_state_dict(state)
    with pytest.raises(CaudexError, match="it has changed, begin a new run"):
        EnvRunner(Clock(2, images=True), seed=3).load_state_dict(state)
    other = EnvRunner(Clock(2), seed=3)
    other.env.spoiled = 0.5
    with pytest.raises(CaudexError, match="does not repeat itself"):
        other.load_state_dict(state)


def test_a_reward_that_is_no_number_stops_the_run_in_a_sentence():
    runner = EnvRunner(Clock(1), seed=3)
    runner.env.spoiled = np.nan
    with pytest.raises(CaudexError, match="no finite number after 1 steps"):
        runner.step(np.zeros(1, np.int64))


def test_every_place_plays_the_same_number_of_episodes(monkeypatch):
    monkeypatch.setattr(envs, "make", lambda name, count, shown=False: Clock(count))
    found = played("clock", lambda seen: np.zeros(len(seen), np.int64), episodes=25, seed=0)
    assert len(found) == 25 and set(found) <= {6.0, 10.0}
    assert len(at_random("clock", 3, 0)) == 3
    monkeypatch.setattr(Clock, "longest", 2)  # as games of Atari have it
    assert set(at_random("clock", 3, 0)) == {1.0 + 2.0}


def test_an_episode_that_is_cut_was_not_lost_and_the_next_one_begins():
    runner = EnvRunner(Clock(2), seed=3, most=2)
    for _ in range(2):
        lived = runner.step(np.zeros(2, np.int64))
    assert lived.truncated.all() and lived.begun.all() and not lived.terminated.any()
    assert runner.observations[:, 1].tolist() == [0, 0] and lived.next_observations[:, 1].tolist() == [2, 2]


# -- replay ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("priority", [0.0, 0.5])
def test_remembered_steps_are_those_that_were_lived(steps, priority):
    replay = clock_replay(steps=steps, priority=priority)
    for _ in range(60):  # the memory is overwritten several times
        batch = next(replay)
    for (seed, time), reward_, after, worth in zip(
        *(part.numpy() for part in (batch[0], batch[2], batch[3], batch[4]))
    ):
        end = 3 if seed % 2 == 0 else 4
        lived = int(min(steps, end - time))
        assert reward_ == approx(sum(0.5**k * (time + k + 1) for k in range(lived)))
        dead = time + lived == end == 3
        assert worth == (0 if dead else 0.5**lived)
        if not dead:
            assert tuple(after) == (seed, time + lived)  # the true last observation, also where the time was up


def test_a_stack_is_put_together_from_frames_that_are_kept_once():
    replay = clock_replay(images=True, stack=3)
    assert replay.memory.frames.shape == (30, 2, 1, 2, 2)
    for _ in range(40):
        batch = next(replay)
    for seen, after in zip(batch.observations[:, :, 0, 0].tolist(), batch.next_observations[:, :, 0, 0].tolist()):
        assert seen == [max(0, seen[-1] - 2), max(0, seen[-1] - 1), seen[-1]]
        assert after in ([seen[1], seen[2], seen[2] + 1], [0, 0, 0])  # behind a death stands what counts for nothing


def test_as_many_steps_are_lived_as_are_asked_for_each_batch():
    replay = clock_replay(every=4)
    next(replay)
    before = replay.samples_seen
    for _ in range(30):
        next(replay)
    assert replay.samples_seen - before == approx(120, abs=4)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 10)), min_size=1, max_size=30))
def test_the_tree_of_sums_is_like_a_plain_list(changes):
    tree, plain = Priorities(21, power=0.5), np.zeros(21)
    for place, error in changes:
        tree.put(np.array([place]), np.array([error]))
        plain[place] = (error + 1e-6) ** 0.5
    assert tree.leaves == approx(plain)
    assert tree.total == approx(plain.sum())
    places, shares = tree.draw(np.random.default_rng(0), 2000)
    assert shares == approx(plain[places] / plain.sum())
    counts = np.bincount(places, minlength=21)
    assert np.abs(counts / 2000 - plain / plain.sum()).max() < 0.02  # strata: hardly any noise
    other = Priorities(21, power=0.5)
    other.load(tree.leaves, tree.highest)
    assert other.sums == approx(tree.sums)


def test_a_memory_that_does_not_fit_is_refused_before_anything_is_done():
    with pytest.raises(CaudexError, match=r"--buffer-size 1,000,000,000,000,000 needs .* GiB of memory"):
        clock_replay(buffer_size=10**15)


# -- signals --------------------------------------------------------------------------------------------------------


def test_a_distribution_is_moved_by_hand():
    atoms = torch.linspace(-1, 1, 3)
    shares = torch.tensor([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])
    found = project_distribution(shares, atoms, torch.tensor([0.25, 5.0]), torch.tensor([0.5, 0.0]))
    # atoms -1, 0, 1 become -0.25, 0.25, 0.75
    assert found[0].tolist() == approx([0.2 * 0.25, 0.2 * 0.75 + 0.3 * 0.75 + 0.5 * 0.25, 0.3 * 0.25 + 0.5 * 0.75])
    assert found[1].tolist() == approx([0, 0, 1])  # beyond the last atom, where nothing follows


@given(st.integers(2, 11), st.floats(-0.5, 0.5), st.floats(0, 0.5))
def test_moving_keeps_the_mean_where_no_edge_is_near(count, reward_, discount):
    shares, atoms = torch.softmax(torch.randn(4, count), 1), torch.linspace(-1, 1, count)
    found = project_distribution(shares, atoms, torch.full((4,), reward_), torch.full((4,), discount))
    assert found.sum(1) == approx(np.ones(4), abs=1e-5)
    assert (found @ atoms).numpy() == approx((reward_ + discount * (shares @ atoms)).numpy(), abs=1e-5)


def test_double_takes_the_networks_choice_and_the_slow_copys_worth():
    batch = next(clock_replay())._replace(rewards=torch.zeros(64), discounts=torch.ones(64))
    for double, worth in ((False, 5.0), (True, 2.0)):
        signal = QLearning(2, double=double)
        learner = Learner(Identity(2), {"policy": signal})
        with torch.no_grad():
            for layer, bias in ((signal.advantages[-1], [1.0, 0.0]), (signal.target.copy[1][-1], [2.0, 5.0])):
                layer.weight.zero_()
                layer.bias.copy_(torch.tensor(bias))
        told = torch.where(batch.actions == 0, 1.0, 0.0)
        errors = signal.loss(learner.trunk, batch).examples
        assert errors.tolist() == approx((told - worth).abs().tolist())


def test_duelling_advantages_have_no_mean():
    signal = QLearning(3, dueling=True)
    Learner(Identity(2), {"policy": signal})
    x = torch.randn(5, 2)
    means = signal.scores(x, signal.advantages, signal.state).mean(1)
    torch.testing.assert_close(means, signal.state(x), atol=1e-6, rtol=0)


@torch.no_grad()
def test_noise_is_drawn_at_every_pass_and_left_out_when_it_is_to_be_quiet():
    layer = NoisyLinear(6, 3)
    x = torch.randn(2, 6)
    assert not torch.equal(layer(x), layer(x))
    with quiet(layer):
        assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
    drawn = torch.stack([layer(x) for _ in range(4000)])
    told = torch.nn.functional.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(drawn.mean(0), told, atol=0.05, rtol=0)


def test_a_clipped_action_gains_no_more():
    signal = ClippedPolicy({"count": 2}, entropy=0.0, value=0.0, clip=0.2)
    learner = Learner(Identity(2), {"policy": signal})
    x, actions = torch.randn(8, 2), torch.arange(8) % 2
    log_probs = signal.both(learner.trunk, x)[0].log_prob(actions).detach()

    def gradient(shift):
        advantages = torch.tensor([1.0, -1.0] * 4)
        batch = Rollout(x, actions, log_probs - shift * advantages, torch.zeros(8), advantages, torch.zeros(8))
        learner.zero_grad()
        signal.loss(learner.trunk, batch).loss.backward()
        return sum(p.grad.abs().sum().item() for p in signal.policy.parameters())

    assert gradient(0.0) > 0.01  # the same policy: the plain policy gradient
    assert gradient(0.5) == 0  # all have gone as far as they may
    assert gradient(-0.5) > 0.01  # the wrong way: nothing holds them


def test_the_bonus_on_entropy_fades_as_training_goes():
    learner = Learner(Identity(2), {"policy": ClippedPolicy({"count": 2}, entropy=1.0, value=0.0, fading=True)})
    nothing = torch.zeros(8)
    batch = Rollout(torch.randn(8, 2), torch.arange(8) % 2, nothing, nothing, nothing, nothing)

    def loss(progress):
        learner.progress = progress
        return learner({"policy": batch})["policy"].loss.item()

    assert loss(0.0) == approx(-math.log(2), abs=0.01)  # of two actions, at first about as likely
    assert loss(0.75) == approx(loss(0.0) / 4, rel=1e-5) and loss(1.0) == 0


def test_advantages_are_standardised():
    found = standardised(torch.tensor([1.0, 3.0, 5.0]))
    assert found.tolist() == approx([-(1.5**0.5), 0, 1.5**0.5], rel=1e-4)
    assert standardised(torch.tensor([2.0])).tolist() == [2.0]


def test_statistics_of_parts_are_those_of_the_whole():
    trunk, data = Normalised(Identity(3), 3), torch.randn(100, 3) * 5 + 2
    for part in data.split(33):
        trunk.observe(part)
    assert trunk(data).pooled.mean(0) == approx(np.zeros(3), abs=1e-3)
    assert trunk(data).pooled.std(0, correction=0) == approx(np.ones(3), abs=1e-3)
    assert trunk(data + 1e6).pooled.max() == 10


@pytest.mark.parametrize("actions", [{"count": 4}, {"low": [-1.0, -2.0], "high": [1.0, 2.0]}], ids=["count", "box"])
def test_a_policy_tells_the_probability_of_what_it_draws(actions):
    signal = ActorCritic(actions)
    learner = Learner(Identity(3), {"policy": signal})
    x = torch.randn(1, 3).expand(20_000, 3)
    drawn = signal.draw(x)
    log_probs, values = signal.judge(x, drawn)
    assert values.shape == (20_000,)
    policy = signal.both(learner.trunk, x)[0]
    assert -log_probs.mean().item() == approx(policy.entropy().mean().item(), rel=0.05)
    if "low" in actions:
        bounded = signal.clip_actions(drawn * 10)
        assert bounded.abs().amax(0).tolist() == approx([1, 2])


# -- killed and gone on ---------------------------------------------------------------------------------------------


def parts(kind, folder):
    system = {
        "ppo": PPO(num_envs=2, horizon=32, batch=16, epochs=2, total_steps=512),
        "dqn": DQN(
            num_envs=3,
            buffer_size=120,
            learning_starts=60,
            batch=8,
            total_steps=400,
            returns=2,
            priority=0.5,
            noisy=True,
            atoms=11,
        ),
    }[kind]
    run = Run(folder, 1, Hardware(device="cpu", save_seconds=0))
    run.quiet = True
    runner, facts = reward.make_envs(system, run)
    with run.seeded("weights"):
        learner = system.learner(facts)
    if kind == "ppo":
        source = Rollouts(runner, learner, "policy", 32, 16, 2, scaled=True, seed=1)
    else:
        source = reward.replay_source(system, runner, learner, run, steps=2, priority=0.5)
    return learner, {"policy": source}, {"run": run.stage("training"), "samples": system.total_steps}


@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_a_killed_run_goes_on_to_the_same_weights_and_metrics(kind, tmp_path):
    learner, sources, further = parts(kind, tmp_path / "whole")
    whole = fit(learner, sources, **further).state_dict()
    for last in (21, 17):
        learner, sources, further = parts(kind, tmp_path / "killed")
        with pytest.raises(Killed):
            fit(learner, sources, **further, step=killed_after(last))
    learner, sources, further = parts(kind, tmp_path / "killed")
    found = fit(learner, sources, **further).state_dict()
    assert all(torch.equal(whole[name], found[name]) for name in whole)
    rows = [Run(tmp_path / name / "stages" / "training").metrics() for name in ("whole", "killed")]
    assert rows[0] == rows[1] and "episodes/return" in rows[0][-1]


def test_a_budget_of_experience_leaves_no_rollout_unused(tmp_path):
    learner, sources, further = parts("ppo", tmp_path)
    fit(learner, sources, **further)
    rollouts, passes, batches = 512 // 64, 2, 64 // 16
    run = Run(tmp_path / "stages" / "training")
    assert run.read_json("finished")["step"] == rollouts * passes * batches
    assert sources["policy"].acted == 512 == run.metrics()[-1]["samples"]


def test_acting_counts_in_the_operations(tmp_path):
    system = DQN(num_envs=3, buffer_size=120, learning_starts=60, batch=8, total_steps=400)
    run = Run(tmp_path, 1)
    run.quiet = True
    runner, facts = reward.make_envs(system, run)
    source = reward.replay_source(system, runner, learner := system.learner(facts), run)
    fit(learner, {"policy": source}, samples=400, run=run.stage("training"))
    each = 2 * (4 * 128 + 128 * 128 + 128 * 2)
    last = run.stage("training").metrics()[-1]
    assert source.flops == each * (last["samples"] - 60)  # before that it acts without looking
    assert last["flops"] == source.flops + last["step"] * 8 * (3 + 1) * each  # the slow copy has no way back


def test_acting_and_the_worth_of_what_came_last_are_counted():
    learner = Learner(Identity(2), {"policy": ActorCritic({"count": 2})})
    source = Rollouts(EnvRunner(Clock(2), 0), learner, "policy", 12, 24, 1)
    whole = next(source)
    late = int(((whole.observations[:, 1] == 3) & (whole.observations[:, 0] % 2 == 1)).sum())
    draws, judges, worth = 2 * 2 * 2, 2 * 2 * 2 + 2 * 2, 2 * 2
    assert source.flops == 24 * (draws + judges) + (2 + late) * worth and late


def test_a_lost_life_ends_what_is_learned_and_not_the_episode():
    learner = Learner(Identity(2), {"policy": QLearning(2)})
    replay = Replay(runner := EnvRunner(ClockWithLives(1), 0), learner, "policy", 200, 64, 100, gamma=0.5, steps=2)
    batch = next(replay)
    before, sums = batch.observations[:, 1], batch.rewards
    assert runner.told()["episodes/length"] > 2 and runner.told() == {}
    assert sums[before == 0].tolist() == approx([1 + 0.5 * 2] * int((before == 0).sum()))  # up to the loss
    assert sums[before == 1].tolist() == approx([2.0] * int((before == 1).sum()))
    assert (batch.discounts[before <= 1] == 0).all() and (batch.observations[before == 2, 1] == 2).all()
