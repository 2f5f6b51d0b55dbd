"""fit(): metrics, exact resuming, and what stops it."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from helpers import killed_training
from helpers.comparison import states_equal
from torch import nn
from torch.optim import SGD, AdamW

from caudex.core.errors import CaudexError
from caudex.core.evaluation import Evaluation
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.signal import Signal, SignalOutput
from caudex.core.source import Source
from caudex.data import Batch
from caudex.signals import Labels, Rotation
from caudex.trunks import MLP, Conv, Identity


class RandomPoints(Source):
    """Points drawn from torch's own generator; counts, may end and may be busy between its batches."""

    def __init__(self, last=math.inf, rests_every=1):
        self.drawn, self.last, self.rests_every, self.samples_seen = 0, last, rests_every, 0

    def __next__(self):
        if self.drawn == self.last:
            raise StopIteration
        self.drawn, self.samples_seen = self.drawn + 1, self.samples_seen + 8
        points = torch.randn(8, 3)
        return Batch(points, (points[:, 0] > 0).long(), torch.arange(8))

    @property
    def can_checkpoint(self):
        return self.drawn % self.rests_every == 0

    def state_dict(self):
        return {"drawn": self.drawn, "samples_seen": self.samples_seen}

    def load_state_dict(self, state):
        self.drawn, self.samples_seen = state["drawn"], state["samples_seen"]


class GivenLosses(Signal):
    """A loss that is `losses(n)` in its n-th step, whatever it learned."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.calls, self.batches = losses, 0, []
        self.number = nn.Parameter(torch.zeros(1))

    def loss(self, trunk, batch):
        self.calls += 1
        self.batches.append(batch)
        value = self.losses(self.calls)
        return (
            None if value is None else SignalOutput(self.number.sum() * 0 + value, {"calls": torch.tensor(self.calls)})
        )


def make_given_losses(losses=lambda n: 1.0, **settings):
    return Learner(Identity(3), {"says": GivenLosses(losses)}, partial(SGD, lr=0.1), **settings)


def make_classifier(seed=0):
    torch.manual_seed(seed)
    return Learner(MLP(3, (8,), dropout=0.3), {"labels": Labels(2)}, partial(AdamW, lr=0.02), average=0.9)


def copy_state(learner):
    return {name: weight.clone() for name, weight in learner.state_dict().items()}


def saving_run(folder, seconds=0.0, seed=0):
    return Run(folder, seed, Hardware(device="cpu", save_seconds=seconds))


# -- budgets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{}, {"steps": 0}, {"minutes": -1}, {"flops": math.inf}, {"flops": math.nan}], ids=str
)
def test_no_budget_is_an_error(given):
    words = f"give a positive number of {next(iter(given))}" if given else "training needs a budget"
    with pytest.raises(CaudexError, match=words):
        fit(make_given_losses(), {"says": RandomPoints()}, **given)


def test_steps_are_counted_and_progress_runs_from_nought_to_one():
    learner, progress = make_given_losses(), []

    def step(learner, batches):
        progress.append(learner.progress)
        return Learner.step(learner, batches)

    fit(learner, {"says": RandomPoints()}, steps=4, step=step)
    assert progress == [0, 0.25, 0.5, 0.75]
    assert not learner.training


def test_operations_are_a_budget():
    # a step is 8 examples of a 3 x 2 head, forward and backward: 8 * 2 * 6 * 3 = 288
    source = RandomPoints()
    learner = Learner(Identity(3), {"labels": Labels(2)})
    fit(learner, {"labels": source}, flops=288 * 60)
    assert source.drawn == 60


def test_operations_that_nobody_counts_are_no_budget():
    with pytest.raises(CaudexError, match="no operation of this learner is counted; give --steps"):
        fit(make_given_losses(), {"says": RandomPoints()}, flops=1e6)


def test_minutes_are_a_budget():
    started = time.perf_counter()
    fit(make_given_losses(), {"says": RandomPoints()}, minutes=0.3 / 60)
    assert 0.3 <= time.perf_counter() - started < 3


def test_a_source_that_ends_ends_training(tmp_path):
    learner = fit(make_given_losses(), {"says": RandomPoints(last=7)}, steps=1000, run=saving_run(tmp_path))
    assert learner.signals["says"].calls == 7
    assert Run(tmp_path).read_json("finished")["step"] == 7
    again = fit(make_given_losses(), {"says": RandomPoints(last=7)}, steps=1000, run=saving_run(tmp_path))
    assert again.signals["says"].calls == 0


# -- what a step gets ----------------------------------------------------------------------------------------------


def test_signals_of_one_source_see_one_batch():
    signals = {name: GivenLosses(lambda n: 1.0) for name in ("one", "two", "other")}
    shared = RandomPoints()
    fit(Learner(Identity(3), signals), {"one": shared, "two": shared, "other": RandomPoints()}, steps=3)
    assert all(one is two for one, two in zip(signals["one"].batches, signals["two"].batches, strict=True))
    assert not any(
        torch.equal(one[0], other[0]) for one, other in zip(signals["one"].batches, signals["other"].batches)
    )
    assert shared.drawn == 3


def test_global_generators_are_left_as_they_were(tmp_path):
    def states():
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()  # noqa: NPY002

    learner, before = make_classifier(), states()
    fit(learner, {"labels": RandomPoints()}, steps=3, run=saving_run(tmp_path))
    assert states() == before
    with pytest.raises(CaudexError):
        fit(make_given_losses(lambda n: math.nan), {"says": RandomPoints()}, steps=3)
    assert states() == before


def test_training_follows_from_the_runs_seed_alone(tmp_path):
    def train_classifier(name, seed, noise):
        learner = make_classifier()
        torch.manual_seed(noise)
        return copy_state(fit(learner, {"labels": RandomPoints()}, steps=5, run=saving_run(tmp_path / name, seed=seed)))

    assert states_equal(train_classifier("a", 1, noise=1), train_classifier("b", 1, noise=2))
    assert not states_equal(train_classifier("a", 1, noise=1), train_classifier("c", 2, noise=1))


def test_other_threads_may_train():
    learner = make_given_losses()
    thread = threading.Thread(target=fit, args=(learner, {"says": RandomPoints()}), kwargs={"steps": 3})
    thread.start()
    thread.join()
    assert learner.signals["says"].calls == 3


# -- metrics -------------------------------------------------------------------------------------------------------


def test_a_row_is_the_mean_since_the_last_row(tmp_path):
    losses = {"says": lambda n: float(n), "seldom": lambda n: 10.0 if n % 10 == 0 else None, "never": lambda n: None}
    learner = Learner(Identity(3), {name: GivenLosses(loss) for name, loss in losses.items()})
    source = RandomPoints()
    fit(learner, dict.fromkeys(losses, source), steps=520, run=saving_run(tmp_path, math.inf))
    rows, steps = Run(tmp_path).metrics(), [*range(50, 501, 50), 520]
    assert [row["step"] for row in rows] == steps
    assert [row["says/loss"] for row in rows] == [*(step - 24.5 for step in steps[:-1]), 510.5]
    assert [row["says/calls"] for row in rows] == [*(step - 24.5 for step in steps[:-1]), 510.5]
    assert [row["seldom/loss"] for row in rows] == [10] * 11
    assert [row["samples"] for row in rows] == [8 * step for step in steps]
    assert [row["progress"] for row in rows] == [(step - 1) / 520 for step in steps]
    assert not any("never" in name for name in rows[0])
    clock = Run(tmp_path).metrics("timing.jsonl")
    assert [row["step"] for row in clock] == steps
    assert 0 < clock[0]["seconds"] <= clock[1]["seconds"]


def test_a_short_training_has_a_curve_too(tmp_path):
    fit(make_classifier(), {"labels": RandomPoints()}, steps=20, run=saving_run(tmp_path))
    assert [row["step"] for row in Run(tmp_path).metrics()] == list(range(2, 21, 2))


def test_the_learner_is_evaluated_ten_times_in_eval_mode(tmp_path):
    def evaluate(learner):
        assert not learner.trunk.training
        assert not torch.is_grad_enabled()
        return {"noise": torch.rand(1).item()}

    judged = fit(
        make_classifier(), {"labels": RandomPoints()}, steps=20, run=saving_run(tmp_path / "judged"), evaluate=evaluate
    )
    alone = fit(make_classifier(), {"labels": RandomPoints()}, steps=20, run=saving_run(tmp_path / "alone"))
    rows = Run(tmp_path / "judged").metrics()
    assert [row["step"] for row in rows if "evaluation/noise" in row] == list(range(2, 21, 2))
    assert states_equal(copy_state(judged), copy_state(alone))  # what an evaluation draws changes nothing


def test_the_learner_is_evaluated_once_each_share_is_used(tmp_path):
    progress, steps, source = [], [], RandomPoints()
    fit(
        make_classifier(),
        {"labels": source},
        steps=20,
        run=saving_run(tmp_path),
        evaluate=[
            Evaluation(lambda learner: progress.append(learner.progress), at=(0.12, 0.13, 0.5, 1)),
            Evaluation(lambda learner: steps.append(source.samples_seen // 8), every=7 * 8),
        ],
    )
    assert progress == [0.15, 0.5, 1.0]  # two shares that one step passes are one evaluation
    assert steps == [7, 14, 20]  # by samples, and at the end


def test_a_run_says_what_it_is(tmp_path):
    fit(make_classifier(), {"labels": RandomPoints()}, steps=3, run=saving_run(tmp_path))
    description = Run(tmp_path).read_json("about")
    assert description["parameters"] == {"trunk": 3 * 8 + 8, "labels": 8 * 2 + 2}
    assert description["chance_loss"] == {"labels": math.log(2)}
    assert description["budget"]["steps"] == 3
    assert description["resumes"] == "bit for bit"
    fit(make_classifier(), {"labels": RandomPoints()}, minutes=0.001, run=saving_run(tmp_path / "minutes"))
    assert "not bit for bit" in Run(tmp_path / "minutes").read_json("about")["resumes"]


# -- what stops it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "word", "step"), [(math.nan, "NaN", 1204), (math.inf, "infinite", 7), (-math.inf, "infinite", 51)]
)
def test_a_loss_that_is_no_number_stops_training(tmp_path, value, word, step):
    learner = make_given_losses(lambda n: value if n == step else 1.0)
    with pytest.raises(CaudexError) as caught:
        fit(learner, {"says": RandomPoints()}, steps=2000, run=saving_run(tmp_path / "run", math.inf))
    assert str(caught.value) == (
        f"the loss of signal 'says' became {word} at step {step:,}. There is no checkpoint before it; "
        "try --lr 0.01 (was 0.1)."
    )
    assert learner.signals["says"].calls < step + 50  # looked at every 50 steps


def test_the_last_good_checkpoint_is_named(tmp_path):
    with pytest.raises(
        CaudexError, match=rf"NaN at step 6\. The last good checkpoint is {tmp_path}/checkpoints/5; try"
    ):
        fit(
            make_given_losses(lambda n: math.nan if n == 6 else 1.0),
            {"says": RandomPoints()},
            steps=100,
            run=saving_run(tmp_path),
        )
    assert Run(tmp_path).load_checkpoint()[0] == 5


def test_the_signal_that_failed_first_is_named():
    first, second = (
        GivenLosses(lambda n: math.nan if n > 8 else 1.0),
        GivenLosses(lambda n: math.nan if n == 7 else 1.0),
    )
    source = RandomPoints()
    with pytest.raises(CaudexError, match="signal 'second' became NaN at step 7"):
        fit(Learner(Identity(3), {"first": first, "second": second}), {"first": source, "second": source}, steps=20)


class SquareRoot(Signal):
    """The square root of nought is fine; its slope there is not."""

    def __init__(self):
        super().__init__()
        self.number = nn.Parameter(torch.ones(1))

    def loss(self, trunk, batch):
        return SignalOutput((self.number * 0).sqrt().sum())


def test_weights_that_are_no_numbers_are_never_saved_nor_returned(tmp_path):
    with pytest.raises(CaudexError, match="the weights are no longer finite numbers at step 1"):
        fit(Learner(Identity(3), {"root": SquareRoot()}), {"root": RandomPoints()}, steps=1, run=saving_run(tmp_path))
    assert Run(tmp_path).checkpoints == []
    with pytest.raises(CaudexError, match="the weights are no longer finite numbers"):
        fit(Learner(Identity(3), {"root": SquareRoot()}), {"root": RandomPoints()}, steps=1)


# -- going on ------------------------------------------------------------------------------------------------------


class BreakingPoints(RandomPoints):
    """Fails once, before its n-th batch."""

    def __init__(self, at, what, **settings):
        super().__init__(**settings)
        self.at, self.what = at, what

    def __next__(self):
        if self.drawn == self.at:
            self.at = None
            self.what()
        return super().__next__()


def fail():
    raise RuntimeError("the power went")


@pytest.mark.parametrize("at", [3, 25, 51, 59])
def test_a_broken_training_goes_on_to_the_same_end(tmp_path, at):
    evaluate = lambda learner: {"noise": torch.rand(1).item()}  # noqa: E731
    uninterrupted_run, broken = saving_run(tmp_path / "whole", math.inf), saving_run(tmp_path / "broken")
    undisturbed = fit(make_classifier(), {"labels": RandomPoints()}, steps=60, run=uninterrupted_run, evaluate=evaluate)
    with pytest.raises(RuntimeError):
        fit(
            make_classifier(),
            {"labels": BreakingPoints(at, fail, rests_every=5)},
            steps=60,
            run=broken,
            evaluate=evaluate,
        )
    source = RandomPoints(rests_every=5)
    again = fit(make_classifier(), {"labels": source}, steps=60, run=broken, evaluate=evaluate)
    assert source.drawn == 60
    assert states_equal(copy_state(again), copy_state(undisturbed))
    assert (broken.path / "metrics.jsonl").read_bytes() == (uninterrupted_run.path / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("last", [60, math.inf])
def test_a_kill_after_the_last_step_leaves_no_row_twice(tmp_path, last):
    uninterrupted_run, killed = saving_run(tmp_path / "whole", math.inf), saving_run(tmp_path / "killed")
    fit(make_classifier(), {"labels": RandomPoints(last)}, steps=60 if last > 60 else 99, run=uninterrupted_run)
    for _ in range(2):  # the last checkpoint is taken before the last row is written
        fit(make_classifier(), {"labels": RandomPoints(last)}, steps=60 if last > 60 else 99, run=killed)
        (killed.path / "finished.json").unlink()
    assert (killed.path / "metrics.jsonl").read_bytes() == (uninterrupted_run.path / "metrics.jsonl").read_bytes()


def test_a_busy_source_is_not_interrupted_by_a_checkpoint(tmp_path):
    with pytest.raises(RuntimeError):
        fit(make_classifier(), {"labels": BreakingPoints(19, fail, rests_every=4)}, steps=40, run=saving_run(tmp_path))
    assert [path.name for path in Run(tmp_path).checkpoints] == ["16"]


def test_ctrl_c_saves_and_the_training_goes_on_to_the_same_end(tmp_path):
    uninterrupted_run = fit(
        make_classifier(), {"labels": RandomPoints()}, steps=30, run=saving_run(tmp_path / "whole", math.inf)
    )
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stopped = BreakingPoints(12, lambda: os.kill(os.getpid(), signal.SIGINT))
        fit(make_classifier(), {"labels": stopped}, steps=30, run=saving_run(tmp_path / "stopped", math.inf))
    assert [path.name for path in Run(tmp_path / "stopped").checkpoints] == ["13"]
    assert signal.getsignal(signal.SIGINT) == before
    again = fit(make_classifier(), {"labels": RandomPoints()}, steps=30, run=saving_run(tmp_path / "stopped", math.inf))
    assert states_equal(copy_state(again), copy_state(uninterrupted_run))
    metrics = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "stopped")]
    assert metrics[0] == metrics[1]


def test_a_finished_training_is_loaded_with_its_account(tmp_path):
    trained = fit(make_classifier(), {"labels": RandomPoints()}, steps=5, run=saving_run(tmp_path))
    metrics = (tmp_path / "metrics.jsonl").stat().st_mtime_ns
    source, run = RandomPoints(), saving_run(tmp_path)
    loaded = fit(make_classifier(1), {"labels": source}, steps=5, run=run)
    assert states_equal(copy_state(loaded), copy_state(trained))
    assert not loaded.training
    assert source.drawn == 5  # as told by its state; none was drawn
    assert run.compute.flops == 5 * 8 * 3 * 2 * (3 * 8 + 8 * 2)
    assert (tmp_path / "metrics.jsonl").stat().st_mtime_ns == metrics


def test_a_finished_training_without_its_weights_is_done_again(tmp_path):
    trained = fit(make_classifier(), {"labels": RandomPoints()}, steps=5, run=saving_run(tmp_path))
    next(iter(Run(tmp_path).checkpoints)).rename(tmp_path / "elsewhere")
    again = fit(make_classifier(), {"labels": RandomPoints()}, steps=5, run=saving_run(tmp_path))
    assert states_equal(copy_state(again), copy_state(trained))


def test_the_optimizers_state_has_the_strides_of_the_weights(tmp_path):
    def learner():
        return Learner(Conv(3, width=4, stages=1), {"rotation": Rotation()})

    class ImageSet(RandomPoints):
        def __next__(self):
            super().__next__()
            return Batch(torch.rand(2, 3, 4, 4), torch.zeros(2), torch.arange(2))

    fit(learner(), {"rotation": ImageSet()}, steps=1, run=saving_run(tmp_path))
    again = fit(learner(), {"rotation": ImageSet()}, steps=1, run=saving_run(tmp_path))
    for weight, memory in again.optimizer.state.items():
        assert memory["exp_avg"].stride() == weight.stride()
        assert memory["exp_avg"].abs().sum() > 0


@pytest.mark.timeout(600)
def test_training_killed_at_twenty_moments_ends_bit_for_bit_the_same(tmp_path):
    script = killed_training.__file__
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["kills"] >= 20
    for number in range(report["runs"]):
        for file in ("weights.safetensors", "stages/teacher/metrics.jsonl", "stages/student/metrics.jsonl"):
            assert (tmp_path / str(number) / file).read_bytes() == (tmp_path / "undisturbed" / file).read_bytes(), file


def test_a_signal_without_a_source_is_named():
    learner = Learner(MLP(2, (4,)), {"labels": Labels(2)})
    with pytest.raises(CaudexError, match="signal 'labels' has no source"):
        fit(learner, {}, steps=1)
