"""Contrast: caudex against lightly on the same images, trunk, batch and epochs; writes results/contrast.csv.

lightly is used as its examples do: its transforms an image at a time in a DataLoader with two workers, its heads, its
loss, each view through the trunk by itself. It lives in an environment of its own, since torchvision's wheels bring a
CUDA build of torch; without their dependencies they do for this (what of torchvision needs compiled code is not used):

    python -m venv peer && peer/bin/pip install . && peer/bin/pip install --no-deps lightly lightly_utils torchvision==0.28.0
    peer/bin/python benchmarks/contrast.py
"""

import csv
import re
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from caudex import data, trunks, views
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.data import Batches
from caudex.evaluation.probing import knn_accuracy, linear_probe_accuracy
from caudex.models.encoder import extract_features, update_bn
from caudex.signals import Contrast

IMAGES, BATCH, EPOCHS, REPEATS = 8192, 128, 2, 3
CROP, COLOUR, TEMPERATURE, QUEUE, MOMENTUM, LR = 0.3, 0.5, 0.2, 1024, 0.99, 3e-3
STEPS = IMAGES // BATCH * EPOCHS


def peer():
    """lightly, with names for the operators that torchvision would have compiled: none is called."""
    library = torch.library.Library("torchvision", "DEF")
    while True:
        try:
            import torchvision  # noqa: F401

            break
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if not missing:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")
            for name in [name for name in sys.modules if name.startswith("torchvision")]:
                del sys.modules[name]
    from lightly.loss import NTXentLoss
    from lightly.models.modules.heads import MoCoProjectionHead, SimCLRProjectionHead
    from lightly.models.utils import deactivate_requires_grad, update_momentum
    from lightly.transforms import SimCLRTransform

    return (
        library,
        NTXentLoss,
        SimCLRProjectionHead,
        MoCoProjectionHead,
        deactivate_requires_grad,
        update_momentum,
        SimCLRTransform,
    )


class PerImage(Dataset):
    def __init__(self, images: np.ndarray, transform):
        self.images, self.transform = [Image.fromarray(image) for image in images], transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.transform(self.images[i])


def theirs(kind: str, images: torch.Tensor, seed: int):
    """Trunk and images a second of lightly's SimCLR or MoCo."""
    _, loss_of, simple, momentum, freeze, follow, transform = PEER
    torch.manual_seed(seed)
    transform = transform(
        input_size=images.shape[2], cj_strength=COLOUR, min_scale=CROP, gaussian_blur=0.0, hf_prob=0.5, normalize=None
    )
    workers = DataLoader(
        PerImage(images.squeeze(1).numpy(), transform),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
    )
    trunk = trunks.ResNet(1, 16, 1, stride=2)
    trunk.standardise.set_statistics(images[:2000])
    head = (simple if kind == "simclr" else momentum)(64, 128, 64)
    both = nn.ModuleList([trunk, head])
    if kind == "moco":
        import copy

        slow = copy.deepcopy(both)
        freeze(slow)
    criterion = loss_of(temperature=TEMPERATURE, memory_bank_size=(QUEUE, 64) if kind == "moco" else 0)
    optimizer = torch.optim.AdamW(both.parameters(), lr=LR, weight_decay=0.05, fused=True)
    half_cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in workers:  # the workers have started, and nothing of theirs is under way
        pass
    started = time.perf_counter()
    for _ in range(EPOCHS):
        for one, other in workers:
            if kind == "moco":
                follow(trunk, slow[0], m=MOMENTUM)
                follow(head, slow[1], m=MOMENTUM)
                with torch.no_grad():
                    keys = slow[1](slow[0](other).pooled)
                loss = criterion(head(trunk(one).pooled), keys)
            else:
                loss = criterion(head(trunk(one).pooled), head(trunk(other).pooled))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            half_cosine.step()
    return trunk, STEPS * BATCH / (time.perf_counter() - started)


def ours(kind: str, split, seed: int):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk = trunks.ResNet(1, 16, 1, stride=2)
        signal = Contrast(
            temperature=TEMPERATURE, **({"queue_size": QUEUE, "momentum": MOMENTUM} if kind == "moco" else {})
        )
        trunk.standardise.set_statistics(split.train.fetch(slice(0, 2000)))
        optimizer = partial(torch.optim.AdamW, lr=LR, weight_decay=0.05, fused=True)
        learner = Learner(trunk, {"contrast": signal}, optimizer, lambda progress: 0.5 + 0.5 * np.cos(np.pi * progress))
    source = Batches(split.train, BATCH, seed, views.simclr_augmentation(CROP, COLOUR, flip=True), two_views=True)
    started = time.perf_counter()
    fit(learner, {"contrast": source}, steps=STEPS)
    return trunk, STEPS * BATCH / (time.perf_counter() - started)


def alone(kind: str, images: torch.Tensor) -> float:
    """Images a second of trunk, head and loss alone, on views that are there: what nobody can go beyond."""
    trunk, signal = trunks.ResNet(1, 16, 1, stride=2), Contrast(**({"queue_size": QUEUE} if kind == "moco" else {}))
    learner = Learner(trunk, {"contrast": signal}, partial(torch.optim.AdamW, lr=LR, fused=True))
    batch = data.Batch(
        images[:BATCH].float() / 255, torch.zeros(BATCH), torch.arange(BATCH), other_images=images[:BATCH].float() / 255
    )
    for _ in range(5):
        learner.step({"contrast": batch})
    started = time.perf_counter()
    for _ in range(40):
        learner.step({"contrast": batch})
    return 40 * BATCH / (time.perf_counter() - started)


def worth(trunk, split) -> tuple[float, float]:
    """Accuracy of 20 neighbours and of a linear probe, from 5,000 labels, on 5,000 test images."""
    update_bn(trunk, split.train)
    known, test = split.labelled.take(slice(0, 5000)), split.test.take(slice(0, 5000))
    parts = extract_features(trunk, known)["pooled"], known.labels, extract_features(trunk, test)["pooled"], test.labels
    return knn_accuracy(*parts), linear_probe_accuracy(*parts)


def main() -> None:
    global PEER
    PEER = peer()
    whole = data.load_images("fashion-mnist", need_labels=False)
    split = data.Split(
        whole.labelled.take(slice(0, IMAGES)),
        whole.unlabelled,
        whole.test,
        train=whole.train.take(slice(0, IMAGES)),
    )
    images, rows = split.train.fetch(slice(None)), []
    for kind in ("simclr", "moco"):
        limit = alone(kind, images)
        for seed in range(REPEATS):
            (mine, quick), (other, slow) = ours(kind, split, seed), theirs(kind, images, seed)
            (near, probe), (their_near, their_probe) = worth(mine, split), worth(other, split)
            rows.append(
                {
                    "method": kind, "seed": seed, "caudex_images_per_s": round(quick), "lightly_images_per_s": round(slow),
                    "ratio": round(quick / slow, 2), "share_outside_the_trunk": round(1 - quick / limit, 3),
                    "caudex_20_neighbours": round(near, 4), "lightly_20_neighbours": round(their_near, 4),
                    "caudex_linear": round(probe, 4), "lightly_linear": round(their_probe, 4),
                    "threads": torch.get_num_threads(),
                }
            )  # fmt: skip
            print(rows[-1], flush=True)
        mine = [row for row in rows if row["method"] == kind]
        print(kind, "median ratio", statistics.median(row["ratio"] for row in mine))
    with Path("results/contrast.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
