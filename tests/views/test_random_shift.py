"""A shift moves all frames of a stack alike."""

import torch

from caudex.views import Draw, RandomShift


def test_frames_are_moved_all_of_a_stack_alike_and_edges_repeat():
    frames = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6).expand(50, 4, 6, 6).contiguous()
    shifted = RandomShift(2)(frames, Draw(0, 0, torch.arange(50)))
    assert (shifted == shifted[:, :1]).all()
    shifts = set()
    for image in shifted[:, 0]:
        matches = [
            (y, x) for y in range(-2, 3) for x in range(-2, 3)
            if torch.equal(image, frames[0, 0][(torch.arange(6) + y).clamp(0, 5)][:, (torch.arange(6) + x).clamp(0, 5)])
        ]  # fmt: skip
        assert len(matches) == 1
        shifts.add(matches[0])
    assert len(shifts) > 15
