"""Images with the place where an object stands, and where it is predicted to be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caudex.core.run import Run
from caudex.envs.scenes.scene import Scene
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.experience.rendered import RenderedImages

MAX_PLOTTED = 16  # images
ENLARGED = 3  # times, so that marks are small
TRUE, PREDICTED = (0, 255, 0), (255, 0, 255)  # colours of marks


def plot_located(run: Run, name: str, test: RenderedImages, predictions: Tensor, scenes: Sequence[Scene] = ()) -> None:
    """figures/predictions-NAME.png: some images, above each the error. Where the scenes are given, a green mark is on the object
    and a violet one where it was predicted."""
    images = [
        image.repeat_interleave(ENLARGED, 1).repeat_interleave(ENLARGED, 2) for image in test.images[:MAX_PLOTTED]
    ]
    for scene, image, predicted in zip(scenes, images, predictions.tolist()):
        height = scene.objects[0].position[2]
        for (x, y), colour in ((scene.label, TRUE), (predicted, PREDICTED)):
            pixel = scene.camera.project([x / 100, y / 100, height], *image.shape[1:])
            mark(image, *pixel.round().astype(int).tolist(), colour)
    errors = (predictions - test.positions).norm(dim=1)[:MAX_PLOTTED].tolist()
    plot_image_tiles(run, f"predictions-{name.replace(' ', '-')}", images, 8, [f"{error:.1f} cm" for error in errors])


def mark(image: Tensor, column: int, row: int, colour: Sequence[int], arm: int = 5) -> None:
    """Paint a cross into the image [3, H, W]."""
    _, height, width = image.shape
    for place in range(-arm, arm + 1):
        for y, x in ((row + place, column), (row, column + place)):
            if 0 <= y < height and 0 <= x < width:
                image[:, y, x] = torch.tensor(colour, dtype=image.dtype)
