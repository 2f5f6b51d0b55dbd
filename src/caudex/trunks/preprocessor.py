"""preprocessor_config.json of transformers: how images looked to a network when it was trained."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from caudex.core.typed_json import Finite

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

TrainedSide = Annotated[int, Meta(ge=32, le=4096)]
# as tuple[Finite, Finite, Finite] beside a number, msgspec 0.23 corrupts memory
PerChannel = Annotated[tuple[Finite, ...], Meta(min_length=3, max_length=3)]


class Preprocessor(Struct):
    """What is read of it. None, also null there, stands for what is missing: pixels over 255, mean and deviation of ImageNet."""

    do_rescale: bool | None = None
    do_normalize: bool | None = None
    do_center_crop: bool | None = None
    rescale_factor: Annotated[float, Meta(gt=1e-6, le=1e6)] | None = None
    rescale_offset: bool | None = None
    include_top: bool | None = None
    image_mean: PerChannel | Finite | None = None
    image_std: PerChannel | Finite | None = None
    size: TrainedSide | dict[str, Any] | None = None
    crop_size: TrainedSide | dict[str, Any] | None = None
    image_processor_type: str | None = None
    feature_extractor_type: str | None = None

    def statistics(self) -> tuple[PerChannel, PerChannel]:
        """Mean and standard deviation of pixels in [0, 1] that do all that the file says: with factor f, offset o, mean m and
        deviation s, a pixel p of 0 to 255 becomes (f p - o - m) / s. EfficientNet's may divide by s once more (`include_top`)."""
        rescales, kind = self.do_rescale is not False, self.image_processor_type or self.feature_extractor_type or ""
        scale = 255 * (self.rescale_factor or 1 / 255) if rescales else 255.0
        offset = float(rescales and self.rescale_offset is True)
        mean, std = _per_channel(self.image_mean, IMAGENET_MEAN), _per_channel(self.image_std, IMAGENET_STD)
        divisor = std if "EfficientNet" in kind and self.include_top is not False else (1.0, 1.0, 1.0)
        if self.do_normalize is False:
            mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        return tuple((m + offset) / scale for m in mean), tuple(s * d / scale for s, d in zip(std, divisor))

    def side(self) -> int | None:
        """Of the square that the network sees; None where the file does not say."""
        size = self.size if self.do_center_crop is False or self.crop_size is None else self.crop_size
        sides = [size.get(name) for name in ("height", "width", "shortest_edge")] if isinstance(size, dict) else [size]
        return min((side for side in sides if type(side) is int), default=None)


def _per_channel(values: PerChannel | float | None, default: PerChannel) -> PerChannel:
    return default if values is None else values if isinstance(values, tuple) else (values,) * 3
