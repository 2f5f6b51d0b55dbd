"""Heads and the losses that teach them. A signal's name is its file's: `rotation` is `rotation.Rotation`."""

from __future__ import annotations

from caudex.errors import CaudexError
from caudex.names import find
from caudex.signals.bilinear_contrast import BilinearContrast
from caudex.signals.colorization import Colorization
from caudex.signals.contrast import Contrast
from caudex.signals.denoising import Denoising
from caudex.signals.depth import Depth
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
from caudex.signals.signal import Signal, Taught, accuracy, frozen

__all__ = [
    "BilinearContrast", "Colorization", "Contrast", "Denoising", "Depth", "Inpainting", "Jigsaw", "Labels", "MaskedToken", "NextFrame",
    "NextSentence", "NextToken", "Regression", "Rotation", "Segmentation", "Signal", "Taught", "accuracy", "asked", "frozen", "meant",
]  # fmt: skip


def asked(words: str, facts: dict) -> tuple[str, Signal]:
    """`rotation`, `rotation:0.5`, `labels:colour:0.5` to a name and a signal with its weight.

    Raises CaudexError as `meant` does, and where the data have no such thing.
    """
    name, kind, what, weight = meant(words)
    signal = kind.asked(what, facts)
    signal.weight = weight
    return name, signal


def meant(words: str) -> tuple[str, type[Signal], str | None, float]:
    """Name, kind, what of it, and weight, as far as they are known before any data.

    Raises CaudexError for an unknown name or a weight that is not positive.
    """
    name, *rest = words.split(":")
    weight = 1.0
    if rest and _number(rest[-1]) is not None:
        weight = _number(rest.pop())
    if not 0 < weight < float("inf"):
        raise CaudexError(f"--also {words}: a weight must be positive and finite; try {name}:0.5.")
    return "-".join([name, *rest]), find("signals", name), rest[0] if rest else None, weight


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
