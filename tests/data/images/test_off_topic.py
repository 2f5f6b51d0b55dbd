"""Off-topic images."""

import pytest
import torch

from caudex import data
from caudex.data import ImageSet, InMemoryImages, off_topic_share, with_off_topic


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_off_topic_images_are_mixed_in_by_their_share(share):
    split = with_off_topic(data.load_images("digits", labels_per_class=10), share, seed=3)
    assert split.labelled.classes == ("0", "1", "2", "3", "4") and split.test.labels.max() == 4
    assert (split.unlabelled.hidden_labels >= 5).float().mean().item() == pytest.approx(share, abs=0.01)


def test_off_topic_images_are_noticed():
    split = data.load_images("digits", labels_per_class=25)
    assert off_topic_share(split.labelled, split.unlabelled) < 0.1
    noise = torch.randint(0, 256, (300, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    strange = ImageSet(InMemoryImages(noise, [""] * 300), torch.full((300,), -1), split.labelled.classes)
    assert off_topic_share(split.labelled, strange) > 0.9
