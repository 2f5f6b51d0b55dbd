"""Views against a per-image Pillow pipeline, alternately in one process: `python benchmarks/views.py`.

A batch of 512 is what training sees in one call: `Batches` views several batches at once.
Both start from uint8 images in memory and end in one float32 batch [B, 3, H, W]. Pillow gets what favours it: one
conversion to float for the whole batch, cheap random numbers, zero padding for the crop. It runs in this one process;
a loader with two workers would at best double its figures. Writes results/views.csv.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from rich.console import Console
from rich.table import Table

from caudex import views
from caudex.views import Draw

AFFINE, BILINEAR = Image.Transform.AFFINE, Image.Resampling.BILINEAR
rng = random.Random(0)
normals = np.random.default_rng(0)


def affine(image, xx=1.0, xy=0.0, yx=0.0, yy=1.0, right=0.0, down=0.0):
    """The image seen through an inverse map about its centre."""
    x, y = image.width / 2, image.height / 2
    moved = (xx, xy, x - xx * (x + right) - xy * (y + down), yx, yy, y - yx * (x + right) - yy * (y + down))
    return image.transform(image.size, AFFINE, moved, BILINEAR)


def crop(image):
    x, y = rng.randint(0, 8), rng.randint(0, 8)
    return ImageOps.expand(image, 4).crop((x, y, x + image.width, y + image.height))


def resized_crop(image):
    area, ratio = rng.uniform(0.08, 1), 2 ** rng.uniform(-0.415, 0.415)
    width = min(1, (area * ratio) ** 0.5) * image.width
    height = min(1, (area / ratio) ** 0.5) * image.height
    x, y = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    return image.resize(image.size, BILINEAR, box=(x, y, x + width, y + height))


def flip(image):
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


def colour(image):
    if rng.random() > 0.8:
        return image
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(0.6, 1.4))
    hue, saturation, value = image.convert("HSV").split()
    turn = rng.randint(-25, 25)
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def grey(image):
    return image.convert("L").convert("RGB") if rng.random() < 0.2 else image


def blur(image):
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.1, 2))) if rng.random() < 0.5 else image


def noise(image, std=0.1):
    values = np.asarray(image)
    noisy = normals.standard_normal(values.shape, dtype=np.float32) * (255 * std) + values
    return noisy.clip(0, 255).astype(np.uint8)


def cutout(image, share=0.5):
    side = round(share * image.width)
    x, y = rng.randint(0, image.width - side), rng.randint(0, image.height - side)
    image.paste((0, 0, 0), (x, y, x + side, y + side))
    return image


def either(reach):
    return rng.choice((-0.5, 0.5)) * reach


OPERATIONS = {  # at magnitude 0.5, as in views.RANDAUGMENT_OPERATIONS
    "shift_x": lambda image: affine(image, right=either(0.45) * image.width),
    "shift_y": lambda image: affine(image, down=either(0.45) * image.height),
    "rotate": lambda image: image.rotate(either(30), BILINEAR),
    "shear_x": lambda image: affine(image, xy=either(0.3)),
    "shear_y": lambda image: affine(image, yx=either(0.3)),
    "scale": lambda image: affine(image, xx=(factor := 2 ** either(0.577)), yy=factor),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1 + either(0.9)),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1 + either(0.9)),
    "saturation": lambda image: ImageEnhance.Color(image).enhance(1 + either(0.9)),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(0.03 * image.height)),
    "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(1 + either(0.9)),
    "posterize": lambda image: ImageOps.posterize(image, 6),
    "solarize": lambda image: ImageOps.solarize(image, 128),
    "autocontrast": ImageOps.autocontrast,
    "noise": lambda image: Image.fromarray(noise(image)),
    "cutout": lambda image: cutout(image, 0.25),
    "identity": lambda image: image,
}


def rand_augment(image):
    for name in rng.choices(list(OPERATIONS), k=2):
        image = OPERATIONS[name](image)
    return image


def simclr(image):
    return grey(colour(flip(resized_crop(image))))


PAIRS = {
    "Crop": (views.RandomCrop(4), crop),
    "ResizedCrop": (views.RandomResizedCrop(), resized_crop),
    "Flip": (views.RandomHorizontalFlip(), flip),
    "Shift": (
        views.RandomTranslation(0.1),
        lambda image: affine(
            image, right=rng.uniform(-0.1, 0.1) * image.width, down=rng.uniform(-0.1, 0.1) * image.height
        ),
    ),
    "Rotate": (views.RandomRotation(15), lambda image: image.rotate(rng.uniform(-15, 15), BILINEAR)),
    "Scale": (views.RandomScale(0.2), lambda image: affine(image, xx=(factor := rng.uniform(0.83, 1.2)), yy=factor)),
    "Shear": (views.RandomShear(0.3), lambda image: affine(image, xy=rng.uniform(-0.3, 0.3))),
    "Colour": (views.ColorJitter(), colour),
    "Grey": (views.RandomGrayscale(), grey),
    "Blur": (views.GaussianBlur(), blur),
    "Noise": (views.GaussianNoise(0.1), noise),
    "Cutout": (views.Cutout(0.5), cutout),
    "RandAugment": (views.RandAugment(), rand_augment),
    "SimCLR": (
        views.Compose(
            (views.RandomResizedCrop(), views.RandomHorizontalFlip(), views.ColorJitter(), views.RandomGrayscale())
        ),
        simclr,
    ),
}


def with_pillow(operation, images):
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W], one image at a time."""
    seen = np.stack([np.asarray(operation(Image.fromarray(image))) for image in images])
    return torch.from_numpy(seen).permute(0, 3, 1, 2).float().div_(255).contiguous()


def seconds(action, times):
    start = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - start) / times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results" / "views.csv")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    size = (settings.batch, settings.side, settings.side, 3)
    images = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    batch, index = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.arange(settings.batch)

    # glibc hands freed blocks back to the kernel until it has seen a larger one freed, as any training step does
    torch.empty(2**22).fill_(0)
    rows = []
    for name, (view, operation) in PAIRS.items():
        ours, theirs = [], []
        for repeat in range(-2, settings.repeats):  # two rounds to warm up
            mine = seconds(lambda view=view, epoch=repeat: view(batch, Draw(0, epoch, index)), 5)
            other = seconds(lambda operation=operation: with_pillow(operation, images), 1)
            if repeat >= 0:
                ours.append(settings.batch / mine)
                theirs.append(settings.batch / other)
        ratios = [one / two for one, two in zip(ours, theirs)]
        rows.append({
            "view": name, "batch": settings.batch, "side": settings.side, "threads": settings.threads,
            "caudex": round(statistics.median(ours)), "pillow": round(statistics.median(theirs)),
            "ratio": round(statistics.median(ratios), 2), "least": round(min(ratios), 2), "most": round(max(ratios), 2),
        })  # fmt: skip

    title = f"images a second, {settings.side} x {settings.side} RGB, batches of {settings.batch}"
    table = Table("view", title=f"{title}, {settings.threads} threads against one Pillow process")
    for column in ("caudex", "Pillow", "ratio", "least", "most"):
        table.add_column(column, justify="right")
    for row in rows:
        speeds = (f"{row['caudex']:,}", f"{row['pillow']:,}")
        table.add_row(row["view"], *speeds, *(f"{row[name]:.1f}" for name in ("ratio", "least", "most")))
    Console().print(table)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    with settings.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
