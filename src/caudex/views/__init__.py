"""Batched random views of images: tensors in, tensors out.

A view is any callable `view(images, draw)`: images are uint8 or float in [0, 1], [B, C, H, W] with one or three
channels; it returns new float32 images in [0, 1]. Each image's view follows from `draw` alone.
"""

from caudex.views.corruptions import CORRUPTIONS, corrupt
from caudex.views.draw import Draw, as_float
from caudex.views.geometric import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomScale,
    RandomShear,
    RandomTranslation,
)
from caudex.views.lab import ab_bins, decode_ab, encode_ab, grey_from_lightness, lab_to_rgb, rgb_to_lab
from caudex.views.masking import mask_tokens
from caudex.views.operations import (
    AFFINE_PARAMETERS,
    FILL_MODES,
    RANDAUGMENT_OPERATIONS,
    add_noise,
    adjust_colour,
    affine,
    autocontrast,
    blur_or_sharpen,
    cutout,
    posterize,
    solarize,
)
from caudex.views.photometric import ColorJitter, Cutout, GaussianBlur, GaussianNoise, RandomGrayscale
from caudex.views.rand_augment import RandAugment
from caudex.views.random_shift import RandomShift
from caudex.views.rotations import all_four_rotations, quarter_turns
from caudex.views.simclr import simclr_augmentation
from caudex.views.tiles import cut_tiles, distant_permutations, normalise_tiles, permute_tiles
from caudex.views.view import Compose, View

__all__ = [
    "AFFINE_PARAMETERS", "CORRUPTIONS", "FILL_MODES", "RANDAUGMENT_OPERATIONS", "ColorJitter", "Compose", "Cutout",
    "Draw", "GaussianBlur", "GaussianNoise", "RandAugment", "RandomCrop", "RandomGrayscale", "RandomHorizontalFlip",
    "RandomResizedCrop", "RandomRotation", "RandomScale", "RandomShear", "RandomShift", "RandomTranslation", "View",
    "ab_bins", "add_noise", "adjust_colour", "affine", "all_four_rotations", "as_float", "autocontrast",
    "blur_or_sharpen", "corrupt", "cut_tiles", "cutout", "decode_ab", "distant_permutations", "encode_ab",
    "grey_from_lightness", "lab_to_rgb", "mask_tokens", "normalise_tiles", "permute_tiles", "posterize",
    "quarter_turns", "rgb_to_lab", "simclr_augmentation", "solarize",
]  # fmt: skip
