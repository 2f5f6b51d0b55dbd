"""Which trunk a method sees its observations with."""

from __future__ import annotations

from collections.abc import Sequence

from caudex.core.specs import EnvSpec
from caudex.core.trunk import Trunk
from caudex.trunks import Identity, MultiInput, NatureCNN, ObservationNormaliser
from caudex.trunks.nature import LARGE_FRAME


def has_large_frames(shape: Sequence[int]) -> bool:
    """Whether observations of this shape are images of 36 pixels or more."""
    return len(shape) == 3 and min(shape[1:]) >= LARGE_FRAME


def shows_large_frames(spec: EnvSpec) -> bool:
    """Whether one of the images that an environment shows has so many."""
    return any(has_large_frames(shape) for shape in (spec.shape, *(part.shape for part in spec.layout)))


def observation_trunk(spec: EnvSpec, width: int = 512, layers: Sequence | None = None, normalise: bool = True) -> Trunk:
    """Convolutions for images, those of DQN or `layers` where frames are large, and a layer of `width` behind them, of 128 at most
    where frames are small; 0: none. Vectors pass through, normalised if `normalise`: the heads are whole networks."""
    if not shows_large_frames(spec):
        width, layers = min(width, 128), None
    if spec.layout:
        return MultiInput(spec.layout, width, layers, normalise)
    if len(spec.shape) == 3:
        return NatureCNN(spec.shape, width, layers)
    identity = Identity(spec.shape[0])
    return ObservationNormaliser(identity, spec.shape[0]) if normalise else identity
