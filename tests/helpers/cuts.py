"""Patches of scikit-learn's two photographs, and changed copies of images."""

import io

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from caudex.data import ImageSet, InMemoryImages


def cuts_of_photos(count, seed=0, side=64):
    """Patches [side, side, 3] of the photos of a temple in China and of a flower, in turn."""
    photos, corners = load_sample_images().images, np.random.default_rng(seed).integers(0, 360, (count, 2))
    return [photos[i % 2][y : y + side, x : x + side] for i, (y, x) in enumerate(corners)]


def as_image_set(images, labels, classes=("china", "flower")):
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return ImageSet(InMemoryImages(stacked, [f"{i:03}.png" for i in range(len(images))]), torch.tensor(labels), classes)


def change(image, how="compressed"):
    """The image compressed as JPEG, scaled down and up, or with less contrast."""
    photo, buffer = Image.fromarray(image), io.BytesIO()
    if how == "compressed":
        photo.save(buffer, "JPEG", quality=60)
        return np.asarray(Image.open(buffer))
    if how == "smaller":
        return np.asarray(photo.resize((40, 40), Image.BICUBIC).resize(photo.size, Image.BICUBIC))
    return (20 + image * 0.7).astype(np.uint8)
