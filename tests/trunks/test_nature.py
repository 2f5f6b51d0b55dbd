"""The trunk for frames ends as asked."""

import torch

from caudex.trunks import NatureCNN


def test_a_trunk_for_frames_ends_as_it_is_asked_to():
    frames = torch.randint(0, 256, (2, 4, 84, 84), dtype=torch.uint8)
    assert NatureCNN((4, 84, 84), 0).width == 64 * 7 * 7
    assert (NatureCNN((4, 84, 84), 32)(frames).pooled >= 0).all()
    small = NatureCNN((4, 10, 10), 16)
    assert len(small.convs) == 1
    torch.testing.assert_close(small(frames[..., :10, :10]).pooled, small(frames[..., :10, :10].float() / 255).pooled)
