"""Heads and the losses that teach them. A signal's name is its file's: `rotation` is `rotation.Rotation`."""

from __future__ import annotations

from caudex.core.signal import Signal, SignalOutput, accuracy, frozen
from caudex.signals.bilinear_contrast import BilinearContrast
from caudex.signals.colorization import Colorization
from caudex.signals.contrast import Contrast
from caudex.signals.denoising import Denoising
from caudex.signals.depth import Depth
from caudex.signals.domain_confusion import DomainConfusion
from caudex.signals.inpainting import Inpainting
from caudex.signals.jigsaw import Jigsaw
from caudex.signals.labels import Labels
from caudex.signals.masked_token import MaskedToken
from caudex.signals.next_frame import NextFrame
from caudex.signals.next_sentence import NextSentence
from caudex.signals.next_token import NextToken
from caudex.signals.regression import Regression
from caudex.signals.rotation import Rotation
from caudex.signals.segmentation import Segmentation

__all__ = [
    "BilinearContrast", "Colorization", "Contrast", "Denoising", "Depth", "DomainConfusion", "Inpainting", "Jigsaw", "Labels",
    "MaskedToken", "NextFrame", "NextSentence", "NextToken", "Regression", "Rotation", "Segmentation", "Signal",
    "SignalOutput", "accuracy", "frozen",
]  # fmt: skip
