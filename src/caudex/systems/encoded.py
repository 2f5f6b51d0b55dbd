"""All images of a set with the features of the trunk that it begins with, where that is pretrained."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from caudex.core.errors import CaudexError
from caudex.data import encode_images
from caudex.data.images.decode import ImageFormat, read_cropped_shares
from caudex.data.images.formats import check_size_and_test_share, read_unsplit_images
from caudex.data.images.splits import UnsplitImages
from caudex.systems.image_trunks import check_trunk, is_pretrained, open_encoder, resolve_trunk


def read_encoded(
    spec: str, labels: str | None, trunk: str, size: int, pad: bool
) -> tuple[UnsplitImages, nn.Module | None]:
    """The images of `spec` as in `load_images`, not split; encoded once by the pretrained trunk that `trunk` stands for, which comes with
    them. Those that cannot be read are among the skipped. Raises CaudexError on whatever a user can mend."""
    check_size_and_test_share(size, 0.0)
    check_trunk(trunk, pretrained=True)
    trunk = resolve_trunk(trunk, spec, labels)
    if not is_pretrained(trunk):
        return read_unsplit_images(spec, labels, ImageFormat((0, size, size), pad=pad), False, "auto"), None
    encoder = open_encoder(trunk, 0)
    side = size or encoder.image_size
    image_format = ImageFormat((0, side, side), pad=pad, on_demand=True)
    unsplit = read_unsplit_images(spec, labels, image_format, False, "auto")
    images, is_test = unsplit.images, unsplit.is_test
    features = encode_images(images.store, images.store_rows, encoder)
    is_encoded = features.index[images.store_rows] >= 0
    if not is_encoded.any():
        raise CaudexError(f"{spec} has no image that can be read.")
    reasons = getattr(images.store, "reasons", {})
    skipped = [(images.store.names[row], reasons.get(row, "")) for row in images.store_rows[~is_encoded].tolist()]
    test_rows = is_test[is_encoded].nonzero().flatten()
    store = replace(
        images.store, cropped_shares=read_cropped_shares(images.store.names, range(len(images.store)), image_format)
    )
    images = replace(images, store=store, features=features).take(is_encoded)
    return replace(unsplit, images=images, test_rows=test_rows, skipped=unsplit.skipped + skipped), encoder
