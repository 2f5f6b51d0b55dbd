"""One training, on as many processes as asked: `distributed_training.py FOLDER PROCESSES STEPS`; run by tests/core/test_distributed.py.

Fabric's launcher starts this file again for every further process.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from torch.optim import AdamW

from caudex.core.disk import serialize_tensors
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.shadow import Shadow
from caudex.core.signal import Signal, SignalOutput
from caudex.core.weights import distinct_tensors
from caudex.data import Batches, ImageSet, InMemoryImages
from caudex.signals import BilinearContrast, Contrast, Labels, Rotation
from caudex.trunks import ResNet
from caudex.views import RandAugment


class Likeness(Signal):
    """What a slow copy of the trunk sees; says nothing in every third step, in all processes."""

    def build(self, trunk):
        self.head = torch.nn.Linear(trunk.width, trunk.width)
        self.target = Shadow(trunk, decay=0.9)

    def loss(self, trunk, batch):
        if int(self.target.updates) % 3 == 2:
            return None
        images = batch.images
        return SignalOutput((self.head(trunk(images).pooled) - self.target(images).pooled).square().mean())


def train(folder, processes, steps):
    torch.set_num_threads(1)
    hardware = Hardware("cpu", processes, strategy="ddp" if processes > 1 else "auto", save_seconds=1e9)
    run = Run(folder, seed=3, hardware=hardware)
    run.quiet = True
    run.save_settings("supervised", {"steps": steps})
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8, generator=generator)
    images = ImageSet(InMemoryImages(pixels, range(40)), torch.arange(40) % 4 - 1, ("a", "b", "c"))
    stage = run.stage("teacher")
    with stage.seeded("weights"):
        trunk = ResNet(3, 8, 1, norm="group")
        signals = {"labels": Labels(3), "rotation": Rotation(), "likeness": Likeness()}
        signals |= {
            "batch": Contrast(4, hidden=0),
            "queue": Contrast(4, hidden=0, queue_size=20, momentum=0.9),
            "bilinear": BilinearContrast(momentum=0.9),
        }
        # eps: a gradient that is rounding alone must not become a step of full length
        learner = Learner(trunk, signals, partial(AdamW, lr=1e-3, eps=1e-4), average=0.9)
    few, many = (Batches(images, size, stage.seed, RandAugment()) for size in (8, 12))
    pairs = Batches(images, 6, stage.seed, RandAugment(), two_views=True)
    sources = {"labels": few, "rotation": many, "likeness": many} | dict.fromkeys(("batch", "queue", "bilinear"), pairs)
    fit(learner, sources, steps=steps, run=stage)
    done = stage.read_json("finished")["step"]  # every process can read what the first one wrote
    run.write("weights.safetensors", serialize_tensors(distinct_tensors(learner.state_dict())))
    if run.is_main_process:
        print(f"finished {done} with {run.compute.flops:.0f} operations, of {processes}")


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
