"""What a trained trunk with heads predicts of images: the base of classifiers, taggers and regressors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from caudex.core.learner import CachedTrunk, Learner
from caudex.core.specs import ImageSpec
from caudex.data import ImageSet
from caudex.data.images.decode import ImageFormat
from caudex.models.classifier import name_likeliest
from caudex.models.encoder import fetch_inputs
from caudex.signals import Labels


class ImagePredictor(nn.Module):
    """Images [B, C, H, W], uint8 or float in [0, 1], to what the head `labels` predicts.

    Uses the averaged weights where the learner has them. `columns` are the classes of further columns of labels that were
    learned (`--also labels:COLUMN`), by name. `encoder`: the frozen network on whose features the learner's trunk learned,
    where there is one; its features are taken, too.
    """

    def __init__(self, learner: Learner, spec: ImageSpec, encoder: nn.Module | None = None):
        super().__init__()
        self.encoder = encoder
        self.trunk, self.signals = learner.averaged
        self.spec, self.classes = spec, spec.classes
        self.image_format = ImageFormat.from_spec(spec)
        self._heads = {
            signal.column: name for name, signal in self.signals.items() if isinstance(signal, Labels) and signal.column
        }
        self.columns = {column: spec.columns[column] for column in self._heads}

    def metrics(self, images: ImageSet) -> dict[str, float]:
        """What is plotted while training, of labelled images."""
        raise NotImplementedError

    def column_probabilities(self, images: ImageSet | Tensor, batch_size: int = 1000) -> dict[str, Tensor]:
        """[N, K] of each of `columns`, in eval mode, on clean images; not calibrated. One pass through the trunk."""

        def classify(batch: Tensor) -> list[Tensor]:
            trunk = CachedTrunk(self.trunk)
            return [self.signals[name].logits(trunk, batch).softmax(1) for name in self._heads.values()]

        widths = [len(classes) for classes in self.columns.values()]
        return dict(zip(self.columns, self._map_batches(classify, images, widths, batch_size))) if widths else {}

    def predict_columns(self, images: ImageSet | Tensor) -> dict[str, list[tuple[str, float]]]:
        """(class, confidence) for each image, of each of `columns`."""
        return {
            name: name_likeliest(probabilities, self.columns[name])
            for name, probabilities in self.column_probabilities(images).items()
        }

    @torch.no_grad()
    def _map_batches(
        self,
        output: Callable[[Tensor], Sequence[Tensor]],
        images: ImageSet | Tensor,
        widths: Sequence[int],
        batch_size: int,
    ) -> list[Tensor]:
        """What `output` makes of each batch, on the processor: [N, width] for each of the `widths`."""
        self.eval()
        device = next(self.parameters()).device
        batches = torch.arange(len(images)).split(batch_size)
        parts = [[x.cpu() for x in output(fetch_inputs(images, rows).to(device))] for rows in batches]
        return [torch.cat(column) for column in zip(*parts)] if parts else [torch.empty(0, width) for width in widths]
