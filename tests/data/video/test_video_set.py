"""Windows stay within one video; batches of them are shuffled, shared out and resumed exactly."""

import pytest
import torch
from helpers.comparison import tensors_equal
from helpers.video_files import first_pixels
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.data import VideoBatches, VideoSet


def numbered_clips(lengths):
    """Videos in which frame t of video i has the value 10 i + t."""
    lengths = torch.tensor(lengths)
    values = torch.cat([10 * i + torch.arange(int(length)) for i, length in enumerate(lengths)])
    frames = values.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    starts = lengths.cumsum(0) - lengths
    return VideoSet(frames, starts, lengths, torch.arange(len(lengths)) % 2, ("a", "b"), [f"v{i}" for i in range(9)])


def test_windows_are_all_runs_of_frames_and_none_crosses_into_the_next_video():
    clips = numbered_clips([3, 5, 2, 1])
    windows = clips.windows(3)
    assert windows.fetch(slice(None))[:, :, 0, 0, 0].tolist() == [[0, 1, 2], [10, 11, 12], [11, 12, 13], [12, 13, 14]]
    assert windows.labels.tolist() == [0, 1, 1, 1]
    assert windows.video_index.tolist() == [0, 1, 1, 1]
    assert windows.shape == (3, 1, 4, 4)
    assert clips.windows(3, step=2).fetch(slice(None))[:, :, 0, 0, 0].tolist() == [[10, 12, 14]]
    assert len(clips.windows(1)) == 11
    with pytest.raises(CaudexError, match="3 frames, 0 apart, are no window"):
        clips.windows(3, step=0)


@given(some.lists(some.integers(1, 9), min_size=1, max_size=6), some.integers(1, 4), some.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_windows_of_any_videos(lengths, frames, step):
    shown = numbered_clips(lengths).windows(frames, step).fetch(slice(None))[:, :, 0, 0, 0]
    starts = [(i, t) for i, length in enumerate(lengths) for t in range(length - (frames - 1) * step)]
    assert shown.tolist() == [[10 * i + t + step * k for k in range(frames)] for i, t in starts]


def test_a_part_of_the_videos_copies_no_frame():
    clips = numbered_clips([3, 5, 2])
    part = clips.take(torch.tensor([2, 0]))
    assert first_pixels(part) == [[20, 21], [0, 1, 2]]
    assert (part.names, part.labels.tolist(), len(part), part.shape) == (["v2", "v0"], [0, 0], 2, (1, 4, 4))
    assert part.frames is clips.frames
    assert part.windows(2).fetch(slice(None))[:, :, 0, 0, 0].tolist() == [[20, 21], [0, 1], [1, 2]]


def test_an_epoch_shows_each_window_once_with_the_label_of_its_video():
    source = VideoBatches(numbered_clips([4, 6, 2]), size=3, frames=3)  # 2 + 4 windows
    first, second = ([next(source) for _ in range(2)] for _ in range(2))
    for batches in (first, second):
        assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == list(range(6))
    for batch in first + second:
        assert batch[0].shape == (3, 3, 1, 4, 4)  # the observation stands first
        values = (batch.frames * 255).round()[:, :, 0, 0, 0]
        assert torch.equal(values[:, 1:], values[:, :-1] + 1)
        assert torch.equal(values[:, 0].div(10, rounding_mode="floor").long() % 2, batch.labels)
        assert torch.equal(batch.labels, source.windows.labels[batch.index])
    assert [batch.index.tolist() for batch in first] != [batch.index.tolist() for batch in second]
    assert source.samples_seen == 12


@given(some.integers(0, 12), some.integers(0, 12))
@settings(max_examples=15, deadline=None)
def test_a_source_goes_on_exactly_where_it_was(before, ahead):
    source, again = (VideoBatches(numbered_clips([4, 6, 2]), 4, seed=5, frames=2) for _ in range(2))
    for _ in range(before):
        next(source)
    for _ in range(ahead):
        next(again)
    again.load_state_dict(source.state_dict())
    assert source.state_dict() == {"samples_seen": 4 * before}
    assert all(tensors_equal(next(source), next(again)) for _ in range(4))


def test_processes_share_a_batch_out(monkeypatch):
    expected = next(VideoBatches(numbered_clips([4, 6, 2]), 6, frames=2))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(next(VideoBatches(numbered_clips([4, 6, 2]), 6, frames=2)))
    assert torch.equal(torch.cat([part.frames for part in parts]), expected.frames)


def test_no_windows_no_batches():
    with pytest.raises(CaudexError, match="none of 2 videos has the 5 frames that a window of 3, 2 apart, takes"):
        VideoBatches(numbered_clips([4, 2]), 4, frames=3, step=2)
