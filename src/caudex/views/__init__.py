"""Batched random views of pictures: tensors in, tensors out.

A view is any callable `view(pictures, draw)`: pictures are uint8 or float in [0, 1], [B, C, H, W] with one or three
channels; it returns new float32 pictures in [0, 1]. What it does to each picture hangs on `draw` alone.
"""

from caudex.views.augment import (
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
)  # fmt: skip
from caudex.views.changes import FILLS, MOTIONS, autocontrast, cutout, focus, noise, posterize, solarize, tone, warp
from caudex.views.corruptions import CORRUPTIONS, corrupt
from caudex.views.draw import Draw, as_float
from caudex.views.turns import all_four_rotations, quarter_turns

__all__ = [
    "CORRUPTIONS", "FILLS", "MOTIONS", "OPERATIONS", "Blur", "Colour", "Compose", "Crop", "Cutout", "Draw", "Flip", "Grey", "Noise",
    "RandAugment", "ResizedCrop", "Rotate", "Scale", "Shear", "Shift", "all_four_rotations", "as_float", "autocontrast", "corrupt",
    "cutout", "focus", "noise", "posterize", "quarter_turns", "solarize", "tone", "warp",
]  # fmt: skip
