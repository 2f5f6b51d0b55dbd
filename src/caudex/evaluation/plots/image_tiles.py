"""Images in rows, with a caption above each and a title beside each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from caudex.core.run import Run

TILE, GAP, CAPTION_LINE = 1.1, 0.06, 0.14  # inches


def plot_image_tiles(
    run: Run,
    name: str,
    images: Sequence[Tensor],
    columns: int,
    captions: Sequence[str] = (),
    row_titles: Sequence[str] = (),
) -> None:
    """figures/NAME.png: images [C, H, W] of one size, uint8 or floats in [0, 1], `columns` of them in a row.

    All stand on one pair of axes; axes for each image take many times as long to draw.
    """
    _, image_height, image_width = images[0].shape
    tile_height = TILE * image_height / image_width
    head = GAP + CAPTION_LINE * max((caption.count("\n") + 1 for caption in captions), default=0)
    left = GAP + 0.07 * max(map(len, row_titles), default=0)
    rows = -(-len(images) // columns)
    width, height = left + columns * (TILE + GAP), rows * (head + tile_height) + GAP
    with run.figure(name, width=width, height=height) as axis:
        axis.set_position((0, 0, 1, 1))
        axis.axis("off")
        for number, image in enumerate(images):
            row, column = divmod(number, columns)
            x, y = left + column * (TILE + GAP), row * (head + tile_height) + head
            extent = (x, x + TILE, y + tile_height, y)
            pixels = (image.detach().cpu() / (1 if image.is_floating_point() else 255)).clamp(0, 1).permute(1, 2, 0)
            axis.imshow(pixels.squeeze(-1), cmap="gray", vmin=0, vmax=1, extent=extent)
            if number < len(captions):
                axis.text(x + TILE / 2, y - 0.02, captions[number], size=8, ha="center", va="bottom")
            if column == 0 and row_titles:
                axis.text(left - GAP, y + tile_height / 2, row_titles[row], size=8, ha="right", va="center")
        axis.set(xlim=(0, width), ylim=(height, 0), aspect="auto")


def plot_image_rows(run: Run, name: str, rows: Mapping[str, Tensor]) -> None:
    """figures/NAME.png: a row of images [N, C, H, W], floats in [0, 1], for each title; N is the same for all."""
    images = [image for row in rows.values() for image in row]
    plot_image_tiles(run, name, images, len(next(iter(rows.values()))), row_titles=list(rows))
