"""Trains a teacher and a student in many folders and is killed 20 times meanwhile; `tests/core/test_fit.py` runs it.

Everything is imported once; each try is a fork of this process.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from functools import partial
from pathlib import Path

import torch
import torch.utils.tensorboard
from torch.optim import AdamW

from caudex.core.disk import serialize_tensors
from caudex.core.fit import fit
from caudex.core.hardware import Hardware, launch_fabric
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.run import Run
from caudex.core.weights import distinct_tensors
from caudex.data import Batches, ImageSet, InMemoryImages
from caudex.signals import Labels, Rotation
from caudex.trunks import ResNet
from caudex.views import RandAugment

STEPS, KILLS = 55, 20
HARDWARE = Hardware(device="cpu", save_seconds=0.05)


def train(folder, dies_between=False):
    run = Run(folder, seed=7, hardware=HARDWARE)
    run.quiet = True
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (60, 1, 8, 8), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (60,), generator=generator)
    everything = ImageSet(InMemoryImages(pixels, range(60)), labels, ("a", "b", "c"))

    def stage(name, probabilities=None):
        stage_run = run.stage(name)
        with stage_run.seeded("weights"):
            trunk = ResNet(1, 4, 1, dropout=0.2, survival=0.5)
            signals = {"labels": Labels(3), "rotation": Rotation()}
            learner = Learner(trunk, signals, partial(AdamW, lr=0.01), cosine_schedule, average=0.9)
        few = Batches(
            everything.take(slice(0, 20)),
            4,
            stage_run.seed,
            RandAugment(),
            None if probabilities is None else probabilities[:20],
        )
        many = Batches(everything, 4, stage_run.seed, RandAugment())
        return fit(learner, {"labels": few, "rotation": many}, steps=STEPS, run=stage_run, evaluate=evaluate)

    def evaluate(learner):
        trunk, signals = learner.averaged
        return {"sure": signals["labels"].logits(trunk, pixels).softmax(1).amax(1).mean().item()}

    teacher = stage("teacher")
    if dies_between:
        os.kill(os.getpid(), signal.SIGKILL)
    with torch.no_grad():
        trunk, signals = teacher.averaged
        probabilities = signals["labels"].logits(trunk, pixels).softmax(1)
    student = stage("student", probabilities)
    run.write("weights.safetensors", serialize_tensors(distinct_tensors(student.state_dict())))


def train_until(folder, seconds=float("inf"), **options):
    """Whether it had to be killed, after `seconds`."""
    child = os.fork()
    if child == 0:
        try:
            train(folder, **options)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if os.waitstatus_to_exitcode(status) == 1:
                raise SystemExit(f"training in {folder} failed")
            return status != 0
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main(folder):
    torch.set_num_threads(1)
    launch_fabric(HARDWARE)
    started = time.perf_counter()
    train_until(folder / "undisturbed")
    duration, rng = time.perf_counter() - started, random.Random(0)
    kills, runs = int(train_until(folder / "0", dies_between=True)), 0
    while kills < KILLS or runs == 0:
        killed = train_until(folder / str(runs), rng.uniform(0, 0.2 * duration))
        kills, runs = kills + killed, runs + (not killed)
    train_until(folder / str(runs))
    print(json.dumps({"kills": kills, "runs": runs + 1, "seconds": round(duration, 2)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
