"""Images a second in training: caudex against a plain torch loop over a DataLoader with per-image transforms.

The same network, optimiser, batch and kinds of noise, one after the other in the same process tree; writes
results/training.csv.

    python benchmarks/training.py
"""

import csv
import random
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from caudex import trunks, views
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.data import Batches, ImageSet, InMemoryImages
from caudex.signals import Labels

COUNT, SIDE, BATCH, STEPS, REPEATS = 2048, 32, 128, 40, 5


def transform(image: Image.Image) -> torch.Tensor:
    """Two random operations an image by Pillow, as people write them by hand."""
    for _ in range(2):
        sign = random.choice((-0.5, 0.5))
        kind = random.randrange(8)
        if kind < 4:
            matrix = [
                (1, 0, 14 * sign, 0, 1, 0),
                (1, 0, 0, 0, 1, 14 * sign),
                (1, 0.3 * sign, 0, 0, 1, 0),
                (1, 0, 0, 0.3 * sign, 1, 0),
            ]
            image = image.transform(image.size, Image.Transform.AFFINE, matrix[kind], Image.Resampling.BILINEAR)
        elif kind == 4:
            image = image.rotate(30 * sign, Image.Resampling.BILINEAR)
        elif kind == 5:
            image = ImageEnhance.Brightness(image).enhance(1 + 0.9 * sign)
        elif kind == 6:
            image = ImageEnhance.Contrast(image).enhance(1 + 0.9 * sign)
        else:
            image = ImageOps.autocontrast(image)
    return (
        torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3).permute(2, 0, 1).float()
        / 255
    )


class PerImage(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in images], labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return transform(self.images[i]), self.labels[i]


def plain(images, labels, workers: int) -> float:
    net = nn.ModuleList([trunks.ResNet(3, 16, 1), nn.Linear(64, 10)])
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    loader = DataLoader(
        PerImage(images, labels),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    done, started = 0, None
    while done < STEPS + 4:
        for x, y in loader:
            if done == 4:
                started = time.perf_counter()  # workers have started by now
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net[1](net[0](x).pooled), y).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            done += 1
            if done == STEPS + 4:
                break
    return STEPS * BATCH / (time.perf_counter() - started)


def ours(images, labels) -> float:
    known = ImageSet(InMemoryImages(images, [""] * len(images)), labels, tuple("0123456789"))
    learner = Learner(trunks.ResNet(3, 16, 1), {"labels": Labels(10)}, partial(torch.optim.AdamW, lr=1e-3, fused=True))
    source = Batches(known, BATCH, view=views.RandAugment(2, 0.5))
    fit(learner, {"labels": source}, steps=4)
    started = time.perf_counter()
    fit(learner, {"labels": source}, steps=STEPS)
    return STEPS * BATCH / (time.perf_counter() - started)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (COUNT, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (COUNT,), generator=generator)
    rows = []
    for workers in (0, 2):
        pairs = [(ours(images, labels), plain(images, labels, workers)) for _ in range(REPEATS)]
        ratios = [a / b for a, b in pairs]
        rows.append(
            {
                "peer": f"torch DataLoader, Pillow, {workers} workers",
                "caudex_images_per_s": round(statistics.median(a for a, _ in pairs)),
                "peer_images_per_s": round(statistics.median(b for _, b in pairs)),
                "ratio_median": round(statistics.median(ratios), 2),
                "ratio_min": round(min(ratios), 2),
                "ratio_max": round(max(ratios), 2),
                "threads": torch.get_num_threads(),
            }
        )
        print(rows[-1])
    with Path("results/training.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
