"""Systems that learn from reward: the trust region by dense matrices, one pass for all heads, and the commands."""

import sys
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.environments import clock_replay
from PIL import Image
from pytest import approx

from caudex import envs as envs
from caudex import load
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.system import scaled
from caudex.evaluation.plots import episodes as filming
from caudex.experience import EnvRunner, Rollout, Transition, Viewed
from caudex.signals import BilinearContrast
from caudex.signals.policies import Categorical, Gaussian
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.signals.trust_region import TrustRegion, solved
from caudex.systems.reward import shared as reward
from caudex.trunks import Identity, Nature
from caudex.views import Draw, Moved

TINY = ("--scale", "tiny", "--threads", "1")


class Broken(gymnasium.Env):
    """Raises after so many steps, or gives what is no number, or of another shape."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, how: str):
        self.how, self.steps = how, 0

    def reset(self, seed=None, options=None):
        return np.full(2, np.nan if self.how == "unbegun" and self.steps > 70 else 0, np.float32), {}

    def step(self, action):
        self.steps += 1
        late = self.steps > 70
        if late and self.how in ("raises", "exits"):
            raise {"raises": ValueError("the motor is on fire."), "exits": SystemExit(5)}[self.how]
        shown = np.float32(0) if late and self.how == "scalar" else np.zeros(2, np.float32)
        return shown, np.inf if late and self.how == "infinite" else 0.0, self.steps % 10 == 0, False, {}


@pytest.fixture(scope="module", autouse=True)
def broken():
    for how in ("raises", "infinite", "unbegun", "scalar", "exits", "well"):
        gymnasium.register(f"Broken-{how}-v0", lambda how=how: Broken(how))


# -- trust region ---------------------------------------------------------------------------------------------------


def test_conjugate_gradients_solve_what_a_dense_solver_solves():
    part = torch.randn(6, 6, dtype=torch.float64)
    matrix, right = part @ part.T + torch.eye(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    torch.testing.assert_close(solved(lambda x: matrix @ x, right, 20), torch.linalg.solve(matrix, right))


def test_the_step_is_along_the_dense_fisher_matrix_and_inside_the_region():
    signal = TrustRegion({"count": 3}, size=0.01, damping=0.0, rounds=50)
    learner = Learner(Identity(2), {"policy": signal}).double()
    x, actions = torch.randn(50, 2, dtype=torch.float64), torch.randint(3, (50,))
    old = signal.policy(x)
    log_probs, before = old.log_prob(actions).detach(), [p.detach().clone() for p in signal.policy.parameters()]
    batch = Rollout(x, actions, log_probs, None, torch.randn(50, dtype=torch.float64), None)
    # the Fisher matrix of a softmax over linear scores, of the fifth of the rows that the step looks at
    some = x[::5]
    shares = signal.policy(some).logits.exp().detach()
    fisher = torch.zeros(9, 9, dtype=torch.float64)
    for row, p in zip(torch.cat([some, torch.ones(10, 1, dtype=torch.float64)], 1), shares):
        fisher += torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(row, row)) / 10
    figures = signal.improve(learner.trunk, batch)
    assert 0 < figures["kl"] <= 0.01 and figures["gain"] > 0
    weight, bias = (p.detach() - b for p, b in zip(signal.policy.parameters(), before))
    moved = torch.cat([weight, bias[:, None]], 1).flatten()  # [3 * (2 + 1)]
    with torch.no_grad():
        for p, b in zip(signal.policy.parameters(), before):
            p.copy_(b)
    advantages = torch.nn.functional.layer_norm(batch.advantages, (50,))
    gain = (signal.policy(x).log_prob(actions) * advantages).mean()
    grads = torch.autograd.grad(gain, tuple(signal.policy.parameters()))
    gradient = torch.cat([grads[0], grads[1][:, None]], 1).flatten()
    natural = torch.linalg.lstsq(fisher, gradient[:, None], driver="gelsd").solution.flatten()
    assert torch.nn.functional.cosine_similarity(moved, natural, 0) > 0.999


def test_divergences_are_those_of_torch():
    one, other = (Categorical(torch.randn(4, 3).log_softmax(1)) for _ in range(2))
    theirs = [torch.distributions.Categorical(logits=each.logits) for each in (one, other)]
    torch.testing.assert_close(one.kl(other), torch.distributions.kl_divergence(*theirs))
    one, other = (Gaussian(torch.randn(4, 3), torch.randn(3)) for _ in range(2))
    theirs = [torch.distributions.Normal(each.mean, each.log_deviation.exp()) for each in (one, other)]
    torch.testing.assert_close(one.kl(other), torch.distributions.kl_divergence(*theirs).sum(1))
    torch.testing.assert_close(one.entropy(), theirs[0].entropy().expand(4, 3).sum(1))


# -- curl -----------------------------------------------------------------------------------------------------------


def pixels(batch=6):
    frames = torch.randint(0, 256, (2, batch, 3, 24, 24), dtype=torch.uint8)
    return Transition(
        frames[0], torch.rand(batch, 1), torch.rand(batch), frames[1], torch.ones(batch), None, torch.arange(batch)
    )


class Once:
    """A source of one batch, again and again."""

    samples_seen = 0

    def __init__(self, batch):
        self.batch = batch

    def __next__(self):
        return self.batch


def curl(contrast=True):
    torch.manual_seed(0)
    signals = {"policy": SoftActorCritic({"low": [-1.0], "high": [1.0]}, (16, 16), features=6)}
    if contrast:
        signals["contrast"] = BilinearContrast(features=6)
    return Learner(Nature((3, 24, 24), 8, ((4, 3, 2),)), signals)


def test_each_picture_is_encoded_once_for_all_heads():
    learner, passes = curl(), {}
    slow = [learner.signals[name].target.copy[0] for name in ("policy", "contrast")]
    for name, trunk in {"own": learner.trunk, "target": slow[0], "keys": slow[1]}.items():
        trunk.register_forward_hook(lambda *_, name=name: passes.update({name: passes.get(name, 0) + 1}))
    batch = next(Viewed(Once(pixels()), Moved(2), 0, instead=True))
    learner.step(dict.fromkeys(learner.signals, batch))
    assert passes == {"own": 2, "target": 1, "keys": 1}  # what was seen, and what came after


def test_one_pass_has_the_gradient_of_separate_passes():
    batch = next(Viewed(Once(pixels()), Moved(2), 0, instead=True))

    def gradients(together: bool):
        learner = curl()
        torch.manual_seed(1)
        if together:
            losses = [said.loss for said in learner(dict.fromkeys(learner.signals, batch)).values()]
        else:
            losses = [signal.loss(learner.trunk, batch).loss for signal in learner.signals.values()]
        sum(losses).backward()
        return [p.grad for p in learner.parameters() if p.grad is not None]

    for one, other in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(one, other)


def test_views_stand_beside_the_batch_or_in_its_place():
    batch = pixels()
    beside = next(Viewed(Once(batch), Moved(2), 0))
    assert beside.observations is batch.observations and beside.images.dtype == torch.uint8
    assert not torch.equal(beside.images, beside.other)
    instead = next(Viewed(Once(batch), Moved(2), 0, instead=True))
    assert instead.observations is instead.images and not torch.equal(
        instead.next_observations, batch.next_observations
    )
    assert torch.equal(instead.actions, batch.actions)
    same = next(Viewed(Once(batch), Moved(0), 0, instead=True))
    assert torch.equal(same.observations, batch.observations)


def test_frames_are_moved_all_of_a_stack_alike_and_edges_repeat():
    frames = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6).expand(50, 4, 6, 6).contiguous()
    moved = Moved(2)(frames, Draw(0, 0, torch.arange(50)))
    assert (moved == moved[:, :1]).all()
    seen = set()
    for image in moved[:, 0]:
        found = [
            (y, x) for y in range(-2, 3) for x in range(-2, 3)
            if torch.equal(image, frames[0, 0][(torch.arange(6) + y).clamp(0, 5)][:, (torch.arange(6) + x).clamp(0, 5)])
        ]  # fmt: skip
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 15


def test_priorities_reach_the_memory_through_views():
    replay = clock_replay(images=True, stack=3, priority=0.5)
    source = Viewed(replay, Moved(0), 0)
    next(source)
    source.learned(torch.full((64,), 7.0))
    assert replay.priorities.highest == approx(7**0.5, rel=1e-3)


def test_a_trunk_for_frames_ends_as_it_is_asked_to():
    frames = torch.randint(0, 256, (2, 4, 84, 84), dtype=torch.uint8)
    assert Nature((4, 84, 84), 0).width == 64 * 7 * 7
    assert (Nature((4, 84, 84), 32)(frames).pooled >= 0).all()
    small = Nature((4, 10, 10), 16)
    assert len(small.convs) == 1
    torch.testing.assert_close(small(frames[..., :10, :10]).pooled, small(frames[..., :10, :10].float() / 255).pooled)


# -- scales of the publications -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scale"),
    [("dqn", "paper"), ("double-dqn", "paper"), ("rainbow", "paper"), ("rainbow", "atari-100k"), ("ppo", "paper"),
     ("ppo", "mujoco"), ("trpo", "paper"), ("sac", "paper"), ("ddpg", "paper"), ("curl", "atari-100k"), ("curl", "dmcontrol-100k")],
)  # fmt: skip
def test_a_publications_scale_begins_here(name, scale, tmp_path, monkeypatch):
    """Its environment, networks and optimiser, with a memory that is full at once and few steps."""
    system, few = scaled(name, scale), {"total_steps": 60}
    system.check()
    if hasattr(system, "buffer_size"):
        few |= {"buffer_size": 100, "learning_starts": 40, "batch": 4}
    else:
        few |= {"num_envs": 2, "horizon": 16}
    monkeypatch.setattr(reward, "finish", lambda player, run: player)  # who knows nothing can play for long
    run = Run(tmp_path, 0)
    run.quiet = True
    player = replace(system, **few).train(run)
    assert player.env.endswith(system.env.partition("/")[2]) and all(p.isfinite().all() for p in player.parameters())
    last = run.stage("training").metrics()[-1]
    assert last["step"] >= 1 and last["flops"] > 0
    if system.env.startswith("ALE/"):
        assert player.shape == (4, 84, 84)


# -- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "env", "further"),
    [
        ("ppo", "Pendulum-v1", ()), ("dqn", "MinAtar/Breakout-v1", ("--also", "contrast:0.1")),
        ("rainbow", "CartPole-v1", ()), ("trpo", "control/reacher", ()), ("curl", "pixels/pendulum-swingup", ()),
        ("curl", "MinAtar/Breakout-v1", ("--view", "moved")),
    ],
)  # fmt: skip
def test_a_system_trains_plays_and_is_filmed(system, env, further, tmp_path):
    said = run_cli("train", system, "--env", env, *TINY, "--total-steps", "700", *further, "--run", tmp_path / "run")
    assert "random" in said.out
    assert np.asarray(Image.open(tmp_path / "run" / "figures" / "episode.png").convert("L")).std() > 1  # there is light
    film = tmp_path / "out.mp4"
    words = ("play", tmp_path / "run", "--episodes", "3")
    first = run_cli(*words, "--video", film)
    assert film.stat().st_size > 1000 and film.with_suffix(".png").exists()
    assert first.out.splitlines()[3] == run_cli(*words).out.splitlines()[3]  # the same seed, the same episodes
    assert_refused(*words, "--video", film, because="out.mp4 exists already")
    player = load(tmp_path / "run")
    assert len(player.play(4, seed=1)) == 4


def test_worlds_that_cannot_be_are_refused_in_a_sentence(tmp_path):
    where = ("--run", tmp_path / "run")
    assert_refused("train", "ppo", "--env", "HalfCheeta-v5", *where, because="Did you mean HalfCheetah-v5?")
    assert_refused("train", "ppo", "--env", "control/cartpole", *where, because="Did you mean cartpole-")
    assert_refused("train", "ppo", "--env", "Blackjack-v1", *where, because="known are vectors (Box), images")
    assert_refused("train", "ppo", "--also", "rotation", *where, because="it needs unlabelled images")
    assert_refused("train", "ppo", "--also", "contrast", *where, because="shows no images to compare")
    assert_refused("train", "ppo", "--num-envs", "0", *where, because="--num-envs 0 is out of range")
    assert_refused("train", "curl", "--env", "Pendulum-v1", *where, because="shows numbers, curl learns from images")
    assert_refused("train", "ppo", "--batch", "3000", *where, because="steps of --num-envs 8 are 2,048")
    assert_refused(
        "train", "ppo", "--horizon", "1000000", "--num-envs", "4000", *where, because="--horizon 1,000,000 needs"
    )
    assert_refused(
        "train", "sac", "--total-steps", "900", *where, because="--learning-starts 1,000 steps at random leave nothing"
    )
    assert_refused("train", "dqn", "--buffer-size", "1000000000000000", *where, because="GiB of memory")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raises", "ValueError: the motor is on fire"), ("infinite", "no finite number after"),
        ("unbegun", "no finite number as an episode began"), ("scalar", "of shape (), but its observation_space says (2,)"),
        ("exits", "SystemExit: 5"),
    ],
)  # fmt: skip
def test_a_world_that_breaks_stops_the_run_and_leaves_its_checkpoint(how, said, tmp_path):
    words = ("train", "ppo", "--env", f"Broken-{how}-v0", *TINY, "--horizon", "16", "--batch", "16", "--num-envs", "2")
    found = invoke(*words, "--save-seconds", "0", "--run", tmp_path / "run")
    assert found.code == 2 and said in found.err and "Traceback" not in found.err
    assert list((tmp_path / "run" / "stages" / "training" / "checkpoints").iterdir())


def test_a_world_that_takes_no_render_mode_has_no_pictures_and_is_learned_from(tmp_path):
    run_cli("train", "ppo", "--env", "Broken-well-v0", *TINY, "--total-steps", "200", "--run", tmp_path / "run")
    assert not (tmp_path / "run" / "figures" / "episode.png").exists()


def test_a_world_that_cannot_be_made_is_refused_in_a_sentence():
    def fails():
        raise FileNotFoundError("no map.")

    gymnasium.register("Unmade-v0", fails)
    with pytest.raises(CaudexError, match=r"Unmade-v0 cannot be made: FileNotFoundError: no map\.$"):
        envs.make("Unmade-v0", 1)


def test_an_episode_that_need_not_end_is_cut_where_policies_are_compared():
    gymnasium.register("Well-limited-v0", lambda: Broken("well"), max_episode_steps=30)
    assert envs.make("Broken-well-v0", 1).longest == 10_000
    assert envs.make("Well-limited-v0", 1).longest == 0


def test_play_says_what_it_cannot_do(tmp_path):
    run_cli("train", "ppo", *TINY, "--total-steps", "200", "--run", tmp_path / "run")
    run = tmp_path / "run"
    assert_refused("play", run, "--episodes", "0", because="--episodes 0 is out of range")
    assert_refused("play", run, "--video", "out.avi", because="give a file that ends in .mp4")
    assert_refused("play", run, "--video", tmp_path / "no" / "out.mp4", because="make it first")
    assert_refused("play", tmp_path, because="settings.yaml")
    assert_refused("play", run, "--env", "Pendulum-v1", because="Pendulum-v1")


def test_names_of_worlds_are_known():
    known = envs.names()
    assert {
        "control/reacher",
        "pixels/reacher",
        "CartPole-v1",
        "MinAtar/Breakout-v1",
        "HalfCheetah-v5",
        "ALE/Pong-v5",
    } <= set(known)
    assert "CartPole-v0" not in known
    with pytest.raises(CaudexError, match="is not a registered environment"):
        envs.make("Nothing-v0", 1)


def test_atari_goes_on_exactly_and_tells_the_last_frame_of_a_game():
    one, other = (EnvRunner(envs.make("ALE/Pong-v5", 2), 1, stack=4) for _ in range(2))
    draw = np.random.default_rng(0)
    for actions in draw.integers(0, 6, (50, 2)):
        one.step(actions)
    other.load_state_dict(one.state_dict())
    for actions in draw.integers(0, 6, (30, 2)):
        assert np.array_equal(one.step(actions).next_observations, other.step(actions).next_observations)
    assert one.observations.shape == (2, 4, 84, 84) and len(np.unique(one.observations)) > 3
    with pytest.raises(CaudexError, match=r"Did you mean ALE/Pong-v5\?"):
        envs.make("ALE/Pomg-v5", 1)


def test_atari_of_2015_begins_with_idle_steps_and_tells_lost_lives():
    one, other = (EnvRunner(envs.make("ALE/Breakout-v4", 1), 1, stack=4) for _ in range(2))
    draw, lost = np.random.default_rng(0), 0
    while not one.ended:
        lost += int(one.step(draw.integers(0, 4, 1)).terminated[0])
    assert lost == 5  # all lives of one game
    other.load_state_dict(one.state_dict())
    for actions in draw.integers(0, 4, (10, 1)):
        assert np.array_equal(one.step(actions).next_observations, other.step(actions).next_observations)
    for version, kinds in (("v4", 3), ("v5", 1)):
        env = envs.make(f"ALE/Freeway-{version}", 3)
        env.reset(np.arange(3), np.ones(3, bool))
        for _ in range(20):
            seen = env.step(np.zeros(3, np.int64)).observations
        assert len({frame.tobytes() for frame in seen}) == kinds  # the same seconds of waiting, or other ones
    with pytest.raises(CaudexError, match="is no game of ale-py"):
        envs.make("ALE/Pong-v3", 1)


def test_a_world_of_ones_own_is_imported_from_where_one_works(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (tmp_path / "mybox_for_test.py").write_text(
        "import gymnasium\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('MyBox-v0', CartPoleEnv, max_episode_steps=50)\n"
    )
    env = envs.make("mybox_for_test:MyBox-v0", 2)
    assert env.reset(np.arange(2), np.ones(2, bool)).shape == (2, 4)
    with pytest.raises(CaudexError, match="there is no module nosuch; install it"):
        envs.make("nosuch:Foo-v0", 1)
    with pytest.raises(CaudexError, match=r"'mybox_for_test:Other-v0' is not a registered environment"):
        envs.make("mybox_for_test:Other-v0", 1)


def test_a_sheet_has_pictures_evenly_spread_in_time():
    images = [np.full((8, 16, 3), i, np.uint8) for i in range(101)]
    sheet = filming.sheet(images, columns=3, rows=2, width=16)
    assert sheet.shape == (16, 48, 3)
    assert [int(sheet[y, x, 0]) for y in (0, 8) for x in (0, 16, 32)] == [0, 20, 40, 60, 80, 100]
    assert filming.sheet(images[:2], columns=3, rows=2, width=16).shape == (8, 48, 3)
