"""All images of a set, with their features where a pretrained trunk makes some."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from caudex.core.errors import CaudexError
from caudex.data import encode_images
from caudex.data.images.decode import ImageFormat, read_cropped_shares
from caudex.data.images.formats import check_size_and_test_share, read_unsplit_images
from caudex.data.images.splits import UnsplitImages
from caudex.models.image_classifier import ImageClassifier
from caudex.systems.image_trunks import check_trunk, is_pretrained, open_encoder, resolve_trunk


def read_encoded(
    spec: str, labels: str | None, trunk: str, size: int, pad: bool
) -> tuple[UnsplitImages, nn.Module | None]:
    """The images of `spec` as in `load_images`, not split, and the encoder of the pretrained trunk that `trunk` stands for, by which they were
    encoded; None: there is none. Raises CaudexError on whatever a user can mend."""
    check_size_and_test_share(size, 0.0)
    check_trunk(trunk, pretrained=True)
    trunk = resolve_trunk(trunk, spec, labels)
    encoder = open_encoder(trunk, 0) if is_pretrained(trunk) else None
    side = size or (encoder.image_size if encoder else 0)
    return read_with_encoder(spec, labels, ImageFormat((0, side, side), pad=pad), encoder), encoder


def read_for_model(spec: str, labels: str | None, model: ImageClassifier) -> UnsplitImages:
    """The same in the form that a model predicts."""
    return read_with_encoder(spec, labels, model.image_format, model.encoder)


def read_with_encoder(
    spec: str, labels: str | None, image_format: ImageFormat, encoder: nn.Module | None
) -> UnsplitImages:
    """Images that cannot be read are among the skipped."""
    if encoder is None:
        return read_unsplit_images(spec, labels, image_format, False, "auto")
    image_format = image_format._replace(on_demand=True)
    unsplit = read_unsplit_images(spec, labels, image_format, False, "auto")
    images, is_test = unsplit.images, unsplit.is_test
    features = encode_images(images.store, images.store_rows, encoder)
    is_encoded = features.index[images.store_rows] >= 0
    if not is_encoded.any():
        raise CaudexError(f"{spec} has no image that can be read.")
    skipped = [(images.store.names[row], images.store.reasons[row]) for row in images.store_rows[~is_encoded].tolist()]
    shares = read_cropped_shares(images.store.names, range(len(images.store)), image_format)
    images = replace(images, store=replace(images.store, cropped_shares=shares), features=features).take(is_encoded)
    test_rows = is_test[is_encoded].nonzero().flatten()
    return replace(unsplit, images=images, test_rows=test_rows, skipped=unsplit.skipped + skipped)
