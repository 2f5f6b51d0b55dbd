"""The augmentation of SimCLR: the two views of an image that contrastive signals compare."""

from __future__ import annotations

from caudex.views.geometric import RandomHorizontalFlip, RandomResizedCrop
from caudex.views.photometric import ColorJitter, RandomGrayscale
from caudex.views.view import Compose


def simclr_augmentation(min_scale: float = 0.3, jitter_strength: float = 0.5, flip: bool = True) -> Compose:
    """A crop of at least `min_scale` of the area, a flip, colour jitter, at times grey (Chen et al. 2020, appendix A).

    Without the jitter the colour histogram alone tells which two views belong together (section 3.1). Blur is left
    out, as in the paper for small images.
    """
    strength = 0.8 * jitter_strength
    jitter = ColorJitter(strength, strength, strength, 0.2 * jitter_strength)
    return Compose((RandomResizedCrop((min_scale, 1.0)), *[RandomHorizontalFlip()] * flip, jitter, RandomGrayscale()))
