"""Batched random views of images: tensors in, tensors out.

A view is any callable `view(images, draw)`: images are uint8 or float in [0, 1], [B, C, H, W] with one or three
channels; it returns new float32 images in [0, 1]. What it does to each image hangs on `draw` alone.
"""

from caudex.views.augment import (  # fmt: skip
    OPERATIONS,
    Blur,
    Colour,
    Compose,
    Crop,
    Cutout,
    Flip,
    Grey,
    Noise,
    RandAugment,
    ResizedCrop,
    Rotate,
    Scale,
    Shear,
    Shift,
    contrastive,
)
from caudex.views.corruptions import CORRUPTIONS, corrupt
from caudex.views.draw import Draw, as_float
from caudex.views.lab import bins, decode, encode, from_lab, grey_of, to_lab
from caudex.views.masking import hide
from caudex.views.operations import FILLS, MOTIONS, autocontrast, cutout, focus, noise, posterize, solarize, tone, warp
from caudex.views.rotations import all_four_rotations, quarter_turns
from caudex.views.shift import Moved
from caudex.views.tiles import arranged, normalised, permutations, tiles

__all__ = [
    "CORRUPTIONS", "FILLS", "MOTIONS", "OPERATIONS", "Blur", "Colour", "Compose", "Crop", "Cutout", "Draw", "Flip",
    "Grey", "Moved", "Noise", "RandAugment", "ResizedCrop", "Rotate", "Scale", "Shear", "Shift", "all_four_rotations",
    "arranged", "as_float", "autocontrast", "bins", "contrastive", "corrupt", "cutout", "decode", "encode", "focus",
    "from_lab", "grey_of", "hide", "noise", "normalised", "permutations", "posterize", "quarter_turns", "solarize",
    "tiles", "to_lab", "tone", "warp",
]  # fmt: skip
