"""A shift moves all frames of a stack alike."""

import torch

from caudex import envs as envs
from caudex.views import Draw, Moved


def test_frames_are_moved_all_of_a_stack_alike_and_edges_repeat():
    frames = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6).expand(50, 4, 6, 6).contiguous()
    moved = Moved(2)(frames, Draw(0, 0, torch.arange(50)))
    assert (moved == moved[:, :1]).all()
    seen = set()
    for image in moved[:, 0]:
        found = [
            (y, x) for y in range(-2, 3) for x in range(-2, 3)
            if torch.equal(image, frames[0, 0][(torch.arange(6) + y).clamp(0, 5)][:, (torch.arange(6) + x).clamp(0, 5)])
        ]  # fmt: skip
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 15
