"""locomotion: stages of learning, the sheet of them, and what environments tell of bodies that move."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from helpers.command_line import assert_refused
from helpers.trainings import quiet_run, train
from PIL import Image
from safetensors.torch import load_file

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.specs import EnvSpec
from caudex.core.system import load, system_at_scale
from caudex.envs import Env, TimeStep
from caudex.evaluation.plots.contact_sheet import contact_sheet
from caudex.experience import Episode, Rollouts, play_episodes
from caudex.models.agent import Agent

TINY = replace(system_at_scale("locomotion", "tiny"), num_envs=4, total_steps=2560, seed=3)


class Track(Env):
    """One step is one metre; those begun from even seeds fall at the third, the others have time for five."""

    name, observation_space, action_space = "track", Box(-1, 1, (1,)), Discrete(2)

    def __init__(self, count):
        self.num_envs, self.at, self.falls = count, np.zeros(count), np.zeros(count, bool)

    def reset(self, seeds, which):
        self.at[which], self.falls[which] = 0, (seeds % 2 == 0)[which]
        return self.at[:, None].astype(np.float32)

    def step(self, actions):
        self.at += 1
        never = np.zeros(self.num_envs)
        fell = self.falls & (self.at == 3)
        return TimeStep(
            self.at[:, None].astype(np.float32), never, fell, (self.at == 5) & ~fell, x_position=self.at.copy()
        )

    def close(self):
        pass


def test_an_episode_is_reported_as_it_ended_not_as_the_next_began(monkeypatch):
    monkeypatch.setattr(envs, "make", lambda name, count: Track(count))
    episodes = play_episodes("track", lambda observations: np.zeros(len(observations), np.int64), 20, seed=0)
    assert set(episodes) == {Episode(0.0, 3, True, 3.0), Episode(0.0, 5, False, 5.0)}


def test_a_body_tells_how_far_it_is_and_the_camera_goes_along():
    env = envs.make("Walker2d-v5", 1, renderable=True)
    env.reset(np.array([0]), np.ones(1, bool))
    body, images = env.envs[0].unwrapped, []
    for far in (0.0, 40.0):
        body.data.qpos[0] = far
        outcome = env.step(np.zeros((1, 6), np.float32))
        assert outcome.x_position[0] == body.data.qpos[0] == pytest.approx(far, abs=0.1)
        images.append(env.render().max(2))
    env.close()
    floor, dark = 190, 150
    assert all((image < dark).sum() > 1000 for image in images)  # the body
    assert all((image[-40:, :40] > floor - 40).all() for image in images)
    assert abs(int((images[0] < dark).sum()) - int((images[1] < dark).sum())) < 300  # as large as before


def test_five_stages_are_saved_shown_and_reported(tmp_path):
    model, run = train(TINY, tmp_path)
    results = run.read_json("results")
    assert [stage["env_steps"] for stage in results["stages"]] == [0, 128, 512, 1280, 2560]
    assert all(stage["falls"] == 10 and 10 < stage["steps"] < 400 for stage in results["stages"])  # none can stand yet
    with run.seeded("weights"):
        untrained = Agent(TINY.learner(run.read_spec(EnvSpec)), run.read_spec(EnvSpec)).state_dict()
    first, last = (load_file(run.path / f"policies/{share}.safetensors") for share in "01")
    assert all(torch.equal(first[name], untrained[name]) for name in first)
    assert all(torch.equal(last[name], weight) for name, weight in load(tmp_path).state_dict().items())
    assert not torch.equal(first["signals.policy.policy.body.0.weight"], last["signals.policy.policy.body.0.weight"])
    sheet = np.asarray(Image.open(run.path / "figures" / "stages.png").convert("RGB")).astype(int)
    assert sheet.shape == (56 + 5 * (180 + 34), 250 + 8 * 186 + 6, 3)
    for row in range(5):  # words at the left, then eight images with a body in each
        upper = 56 + row * 214
        assert (sheet[upper : upper + 180, :250].max(2) < 128).sum() > 500
        for column in range(8):
            x = 250 + column * 186
            assert (sheet[upper : upper + 180, x : x + 180].max(2) < 150).sum() > 100
    assert [line[0] for line in TINY.result_rows(results)][1:3] == ["0 steps", "128 steps"]
    moments, episode, rate = model.record_episode(seed=1, max_frames=4)
    assert len(moments) <= 8 and moments[-1].step < episode.length and episode.terminated and 0 < rate < 200
    assert contact_sheet([moment.image for moment in moments]).shape[1] == 6 * 160


def test_stopped_between_two_stages_it_goes_on_to_the_same_stages(tmp_path, monkeypatch):
    def blind(self, *args, **kwargs):
        raise CaudexError("there is no screen.")

    monkeypatch.setattr(Agent, "record_episode", blind)
    _, uninterrupted = train(TINY, tmp_path / "whole")
    assert not (uninterrupted.path / "figures" / "stages.png").exists()
    next_batch = Rollouts.__next__
    for last in (
        13,
        9,
    ):  # batches until it is killed: between the third stage and the fourth, then between the last two

        def dies(self, last=last):
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls > last:
                raise KeyboardInterrupt
            return next_batch(self)

        monkeypatch.setattr(Rollouts, "__next__", dies)
        run = quiet_run(tmp_path / "killed", TINY.seed)
        run.hardware = Hardware(device="cpu", save_seconds=0)
        with pytest.raises(KeyboardInterrupt):
            TINY.train(run)
    monkeypatch.setattr(Rollouts, "__next__", next_batch)
    _, resumed = train(TINY, tmp_path / "killed")
    assert resumed.read_json("results") == uninterrupted.read_json("results")
    assert resumed.stage("training").metrics() == uninterrupted.stage("training").metrics()
    for file in uninterrupted.path.glob("policies/*"):
        assert (resumed.path / "policies" / file.name).read_bytes() == file.read_bytes()


def test_an_environment_without_metres_is_refused():
    assert_refused("train", "locomotion", "--env", "CartPole-v1", because="CartPole-v1 does not tell how far one got")
