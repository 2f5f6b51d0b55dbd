"""How far from where an object stands it is predicted to be, compared with saying the table's centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from caudex.core.run import Run
from caudex.envs.scenes.scene import Scene
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.experience.rendered import RenderedImages

NEAR = 2.0
"""cm within which an object counts as found"""
MAX_PLOTTED = 16  # images
ENLARGED = 3  # times, so that marks are small
TRUE, PREDICTED = (0, 255, 0), (255, 0, 255)  # colours of marks


def location_errors(predictions: Tensor, positions: Tensor) -> dict:
    """Of positions [N, 2] in cm: the mean distance with its interval, the median, the share that is near; `chance` and
    `near_chance` are those of saying the table's centre for all."""
    errors, chance = (predictions - positions).norm(dim=1), positions.norm(dim=1)
    mean, low, high = t_interval(errors.numpy())
    row = {"error": mean, "median": errors.median().item(), "near": (errors <= NEAR).double().mean().item()}
    row |= {"chance": chance.mean().item(), "near_chance": (chance <= NEAR).double().mean().item()}
    return row | {"test_size": len(errors)} | ({"low": low, "high": high} if len(errors) > 1 else {})


def location_rows(results: Mapping[str, Mapping]) -> list[tuple]:
    """The table of what `location_errors` gave for each set of tests."""
    rows = [("", "error, cm", "95% interval", "median", f"within {NEAR:g} cm")]
    for name, row in results.items():
        interval = f"{row['low']:.2f} to {row['high']:.2f} of {row['test_size']:,}" if "low" in row else ""
        rows.append((name, f"{row['error']:.2f}", interval, f"{row['median']:.2f}", f"{row['near']:.1%}"))
        rows.append(("by the table's centre", f"{row['chance']:.2f}", "", "", f"{row['near_chance']:.1%}"))
    return rows


def location_warnings(results: Mapping[str, Mapping]) -> list[str]:
    return [
        f"{name}: no better than saying the table's centre; try more --steps and --images."
        for name, row in results.items()
        if row.get("high", row["error"]) >= row["chance"]
    ]


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
