"""Videos from every format; windows that stay within one video; sprites whose next frame is computed by hand."""

import struct
import sys

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data import ClipBatches, Clips
from caudex.data.images import loading
from caudex.data.video.sprites import GRAIN, KINDS, Scene, drawn, first_kinds, positions, scene


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def grey(level, size=16):
    return np.full((size, size), level, dtype=np.uint8)


def folder_of_frames(path, levels, size=16):
    for i, level in enumerate(levels):
        save(path / f"{i}.png", grey(level, size))
    return path


def animation(path, frames, **options):
    """A .gif, .webp or .png of uint8 frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=others, duration=50, **options)
    return path


def film(path, frames, codec="mpeg4", pixels="yuv420p"):
    """A film of uint8 [H, W, 3] frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def coloured(count, height=32, width=32):
    """Frames whose left half is red, whose right half grows brighter."""
    frames = np.zeros((count, height, width, 3), dtype=np.uint8)
    frames[:, :, : width // 2] = 200, 0, 0
    frames[:, :, width // 2 :] = (20 * np.arange(count))[:, None, None, None]
    return list(frames)


def levels(clips):
    """The first value of each frame of each video."""
    return [clips.video(i)[:, 0, 0, 0].tolist() for i in range(len(clips))]


def whole(spec, **options):
    """All videos of a set."""
    split = data.load_videos(str(spec), test_share=0, **{"frames": 2, **options})
    assert len(split.test) == 0
    return split.train


def refused(words, spec, **options):
    """The sentence with which the videos are refused; it has these words and is one line."""
    with pytest.raises(CaudexError) as caught:
        data.load_videos(str(spec), **options)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    return sentence


# --- sprites -------------------------------------------------------------------------------------------------------


def one(kind="disc", radius=0.2, start=(0.5, 0.5), velocity=(0.0, 0.0)):
    """A white sprite on black."""
    return Scene(
        np.array([KINDS.index(kind)]),
        np.array([radius]),
        np.ones((1, 3)),
        np.array([start]),
        np.array([velocity]),
        np.zeros((3, GRAIN, GRAIN)),
    )


def test_a_sprite_bounces_where_its_edge_touches_the_wall():
    right = positions(one(start=(0.7, 0.5), velocity=(0.05, 0)), np.arange(5))
    assert right[:, 0, 0] == pytest.approx([0.7, 0.75, 0.8, 0.75, 0.7])
    assert right[:, 0, 1] == pytest.approx([0.5] * 5)
    up = positions(one(start=(0.5, 0.25), velocity=(0, -0.1)), np.arange(5))
    assert up[:, 0, 1] == pytest.approx([0.25, 0.25, 0.35, 0.45, 0.55])  # 0.05 to the wall at 0.2, and 0.05 back
    there_and_back = positions(one(start=(0.3, 0.5), velocity=(0.1, 0)), np.array([0, 12, 24]))
    assert there_and_back[:, 0, 0] == pytest.approx([0.3, 0.3, 0.3])


@given(some.integers(0, 10_000), some.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_the_closed_form_is_what_a_step_by_step_bounce_gives(clip, count):
    shown = scene(clip, 3, count)
    at, velocity, near = shown.starts.copy(), shown.velocities.copy(), shown.radii[:, None]
    for time in range(40):
        assert positions(shown, np.array([time]))[0] == pytest.approx(at)
        at += velocity
        out = (at < near) | (at > 1 - near)
        velocity[out] *= -1
        at = np.where(at < near, 2 * near - at, np.where(at > 1 - near, 2 * (1 - near) - at, at))


def test_the_next_frame_is_the_scene_with_every_sprite_one_step_further():
    videos = data.make_sprites(clips=3, frames=12, seed=7)
    for clip in range(3):
        shown = scene(clip, 7, 2)
        for time in range(11):
            further = shown._replace(starts=positions(shown, np.array([time + 1]))[0])
            computed = drawn(further, np.array([0]), 32)[0]
            assert (computed.int() - videos[clip, time + 1].int()).abs().max() <= 1
            assert (videos[clip, time].int() - videos[clip, time + 1].int()).abs().max() > 20


@pytest.mark.parametrize("kind", KINDS)
def test_motion_by_parts_of_a_pixel_shows(kind):
    frames = drawn(one(kind, start=(0.5, 0.5), velocity=(0.25 / 32, -0.125 / 32)), np.arange(9), 32)[:, 0].float()
    mass = frames.sum((1, 2))
    assert mass.std() / mass.mean() < 0.02
    place = torch.arange(32) + 0.5
    x, y = (frames.sum(1) @ place) / mass, (frames.sum(2) @ place) / mass
    assert torch.allclose(x - x[0], 0.25 * torch.arange(9), atol=0.1)
    assert torch.allclose(y - y[0], -0.125 * torch.arange(9), atol=0.1)


@pytest.mark.parametrize("kind, area", [("square", 4), ("disc", np.pi), ("triangle", 2), ("cross", 4 * (1 - 0.7**2))])
def test_sprites_have_their_shapes(kind, area):
    frame = drawn(one(kind, radius=0.25), np.array([0]), 64)[0, 0].float() / 255
    assert frame.sum().item() == pytest.approx(area * 16**2, rel=0.03)
    rows, columns = (frame > 0.5).any(1).nonzero(), (frame > 0.5).any(0).nonzero()
    assert (columns.min(), columns.max(), rows.max()) == (16, 47, 47)
    assert rows.min() in (16, 17)  # a triangle's tip is fainter


def test_a_clip_follows_from_the_seed_and_its_number():
    few, more = data.make_sprites(clips=2, frames=4, seed=1), data.make_sprites(clips=4, frames=6, seed=1)
    assert few.shape == (2, 4, 3, 32, 32)
    assert few.dtype == torch.uint8
    assert torch.equal(few, more[:2, :4])
    assert not torch.equal(few, data.make_sprites(clips=2, frames=4, seed=2))
    assert len({bytes(clip.numpy()) for clip in more}) == 4
    large = data.make_sprites(clips=2, frames=4, side=64, seed=1).float()
    small = torch.nn.functional.avg_pool2d(large.flatten(0, 1), 2).view(2, 4, 3, 32, 32)
    assert (small - few.float()).abs().mean() < 2


def test_the_class_of_a_clip_is_the_kind_of_its_largest_sprite_which_is_in_front():
    kinds = first_kinds(200, seed=5)
    assert kinds.bincount(minlength=len(KINDS)).min() > 30
    for clip in range(200):
        shown = scene(clip, 5, 3)
        assert kinds[clip] == shown.kinds[0]
        assert shown.radii.argmax() == 0
        assert shown.colours.max(1).min() > 0.9 > 0.25 > shown.ground.max()
    both = Scene(*(np.concatenate([part, part]) for part in one()[:5]), one().ground)
    both.colours[1] = 0, 1, 0
    assert drawn(both, np.array([0]), 32)[0, :, 16, 16].tolist() == [255, 255, 255]


def test_no_sprites_are_refused():
    with pytest.raises(CaudexError, match="0 sprites, 32 pixels wide, show nothing; each number must be at least 1"):
        data.make_sprites(count=0)


# --- windows -------------------------------------------------------------------------------------------------------


def numbered(lengths):
    """Videos in which frame t of video i has the value 10 i + t."""
    lengths = torch.tensor(lengths)
    values = torch.cat([10 * i + torch.arange(int(length)) for i, length in enumerate(lengths)])
    frames = values.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    starts = lengths.cumsum(0) - lengths
    return Clips(frames, starts, lengths, torch.arange(len(lengths)) % 2, ("a", "b"), [f"v{i}" for i in range(9)])


def test_windows_are_all_runs_of_frames_and_none_crosses_into_the_next_video():
    clips = numbered([3, 5, 2, 1])
    windows = clips.windows(3)
    assert windows.fetch(slice(None))[:, :, 0, 0, 0].tolist() == [[0, 1, 2], [10, 11, 12], [11, 12, 13], [12, 13, 14]]
    assert windows.labels.tolist() == [0, 1, 1, 1]
    assert windows.video.tolist() == [0, 1, 1, 1]
    assert windows.shape == (3, 1, 4, 4)
    assert clips.windows(3, step=2).fetch(slice(None))[:, :, 0, 0, 0].tolist() == [[10, 12, 14]]
    assert len(clips.windows(1)) == 11
    with pytest.raises(CaudexError, match="3 frames, 0 apart, are no window"):
        clips.windows(3, step=0)


@given(some.lists(some.integers(1, 9), min_size=1, max_size=6), some.integers(1, 4), some.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_windows_of_any_videos(lengths, frames, step):
    shown = numbered(lengths).windows(frames, step).fetch(slice(None))[:, :, 0, 0, 0]
    starts = [(i, t) for i, length in enumerate(lengths) for t in range(length - (frames - 1) * step)]
    assert shown.tolist() == [[10 * i + t + step * k for k in range(frames)] for i, t in starts]


def test_a_part_of_the_videos_copies_no_frame():
    clips = numbered([3, 5, 2])
    part = clips.take(torch.tensor([2, 0]))
    assert levels(part) == [[20, 21], [0, 1, 2]]
    assert (part.names, part.labels.tolist(), len(part), part.shape) == (["v2", "v0"], [0, 0], 2, (1, 4, 4))
    assert part.frames is clips.frames
    assert part.windows(2).fetch(slice(None))[:, :, 0, 0, 0].tolist() == [[20, 21], [0, 1], [1, 2]]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_epoch_shows_each_window_once_with_the_label_of_its_video():
    source = ClipBatches(numbered([4, 6, 2]), size=3, frames=3)  # 2 + 4 windows
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
    source, again = (ClipBatches(numbered([4, 6, 2]), 4, seed=5, frames=2) for _ in range(2))
    for _ in range(before):
        next(source)
    for _ in range(ahead):
        next(again)
    again.load_state_dict(source.state_dict())
    assert source.state_dict() == {"drawn": 4 * before}
    assert all(same(next(source), next(again)) for _ in range(4))


def test_processes_share_a_batch_out(monkeypatch):
    expected = next(ClipBatches(numbered([4, 6, 2]), 6, frames=2))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(next(ClipBatches(numbered([4, 6, 2]), 6, frames=2)))
    assert torch.equal(torch.cat([part.frames for part in parts]), expected.frames)


def test_no_windows_no_batches():
    with pytest.raises(CaudexError, match="none of 2 videos has the 5 frames that a window of 3, 2 apart, takes"):
        ClipBatches(numbered([4, 2]), 4, frames=3, step=2)


# --- sets ----------------------------------------------------------------------------------------------------------


def test_sprites_are_held_out_whole_and_of_each_class_in_proportion():
    split = data.load_videos("sprites", seed=2)
    assert (len(split.train), len(split.test), split.skipped) == (400, 100, [])
    assert (split.train.shape, split.train.classes) == ((3, 32, 32), KINDS)
    assert not set(split.train.names) & set(split.test.names)
    assert len(split.train.names + split.test.names) == 500
    every = first_kinds(500, seed=2)
    assert (split.test.labels.bincount() - every.bincount() * 0.2).abs().max() < 1
    number = int(split.test.names[3].removeprefix("sprites/"))
    assert split.test.labels[3] == every[number]
    assert torch.equal(split.test.video(3), drawn(scene(number, 2, 2), np.arange(20), 32))


@pytest.mark.parametrize("count, share, held_out", [(1, 0.2, 0), (2, 0.2, 1), (2, 0.9, 1), (10, 0.3, 3), (10, 0, 0)])
def test_at_least_one_video_is_held_out_and_never_all(tmp_path, count, share, held_out):
    for i in range(count):
        folder_of_frames(tmp_path / f"clip{i}", [20 * i, 20 * i + 5, 20 * i + 9])
    split = data.load_videos(str(tmp_path), test_share=share)
    assert (len(split.test), len(split.train)) == (held_out, count - held_out)
    assert sorted(levels(split.train) + levels(split.test)) == [[20 * i, 20 * i + 5, 20 * i + 9] for i in range(count)]


def test_frames_and_videos_come_in_natural_order(tmp_path):
    for i in (1, 2, 10, 11):
        for t in (1, 2, 10, 9, 100):
            save(tmp_path / f"clip{i}" / f"frame{t}.png", grey(10 * i + (1, 2, 9, 10, 100).index(t)))
    (tmp_path / "clip1/notes.txt").write_text("no frame")
    (tmp_path / "clip1/.frame3.png").write_text("hidden")
    clips = whole(tmp_path)
    assert levels(clips) == [[10 * i + k for k in range(5)] for i in (1, 2, 10, 11)]
    assert clips.names[2] == str(tmp_path / "clip10")
    assert (clips.shape, clips.labels.tolist(), clips.classes) == ((1, 16, 16), [-1] * 4, ())


def test_class_folders_are_labels(tmp_path):
    folder_of_frames(tmp_path / "run/a", [1, 2])
    folder_of_frames(tmp_path / "run/b", [3, 4, 5])
    animation(tmp_path / "jump/c.gif", [grey(6), grey(7)])
    clips = whole(tmp_path)
    assert (clips.classes, clips.labels.tolist()) == (("jump", "run"), [0, 1, 1])
    assert levels(clips) == [[6, 7], [1, 2], [3, 4, 5]]
    split = data.load_videos(str(tmp_path), frames=2, test_share=0.4)
    assert split.test.labels.tolist() == [1]


@pytest.mark.parametrize("name, options", [("a.gif", {}), ("a.GIF", {}), ("a.webp", {"lossless": True}), ("a.png", {})])
def test_animations_are_read_frame_by_frame(tmp_path, name, options):
    frames = [np.kron(np.eye(4, k=t, dtype=np.uint8)[..., None], np.ones((4, 4, 1), np.uint8)) for t in range(4)]
    frames = [frame * np.array([250, 120, 0], np.uint8) for frame in frames]
    animation(tmp_path / name, frames, **options)
    clips = whole(tmp_path)
    assert (len(clips), clips.shape) == (1, (3, 16, 16))
    assert np.array_equal(clips.video(0).permute(0, 2, 3, 1), np.stack(frames))


def test_see_through_animations_stand_on_white(tmp_path):
    frames = np.zeros((3, 16, 16, 4), dtype=np.uint8)
    for t in range(3):
        frames[t, 4 * t : 4 * t + 4] = 0, 0, 0, 255
    animation(tmp_path / "a.png", list(frames), disposal=1)
    assert whole(tmp_path).video(0)[:, 0, ::4, 0].tolist() == [
        [0, 255, 255, 255],
        [255, 0, 255, 255],
        [255, 255, 0, 255],
    ]


@pytest.mark.parametrize(
    "name, codec, pixels, exact",
    [
        ("a.mp4", "mpeg4", "yuv420p", False),
        ("a.mov", "mpeg4", "yuv420p", False),
        ("a.avi", "mjpeg", "yuvj444p", False),
        ("a.webm", "libvpx", "yuv420p", False),
        ("a.mkv", "ffv1", "bgr0", True),
    ],
)
def test_films_are_read_frame_by_frame(tmp_path, name, codec, pixels, exact):
    frames = coloured(9)
    film(tmp_path / name, frames, codec, pixels)
    clips = whole(tmp_path)
    assert (clips.shape, clips.lengths.tolist()) == ((3, 32, 32), [9])
    error = (clips.video(0).permute(0, 2, 3, 1).int() - torch.from_numpy(np.stack(frames)).int()).abs()
    assert error.max() == 0 if exact else error.float().mean() < 6


def test_a_large_film_is_shrunk_as_its_frames_would_be(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 9, 16, 3), dtype=np.uint8)
    frames = [np.asarray(Image.fromarray(each).resize((320, 180), Image.Resampling.BICUBIC)) for each in noise]
    film(tmp_path / "films/a.mkv", frames, "ffv1", "bgr0")
    for t, frame in enumerate(frames):
        save(tmp_path / "frames/a" / f"{t}.png", frame)
    one, other = (whole(tmp_path / kind, size=24).video(0).float() for kind in ("films", "frames"))
    assert (one - other).abs().mean() < 3


def test_a_film_that_was_taken_upright_is_upright(tmp_path):
    frame = np.zeros((48, 32, 3), dtype=np.uint8)
    frame[:16, :16] = 255  # the upper left; once the telephone is turned, the upper right
    path = film(tmp_path / "a.mp4", [frame] * 3)
    turned = bytearray(path.read_bytes())
    matrix = turned.index(b"tkhd") + 44
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # clockwise
    turned[matrix : matrix + 36] = quarter
    path.write_bytes(turned)
    corner = whole(tmp_path, size=32).video(0)[0, 0].float()  # 48 x 32 is cut at the sides to 32 x 32
    assert corner[:12, 28:].min() > 200
    assert corner[:, :20].max() < 60
    assert corner[20:].max() < 60


def test_mixed_sizes_become_one(tmp_path):
    folder_of_frames(tmp_path / "a", [1, 2], size=40)
    animation(tmp_path / "b.gif", [grey(3, 20), grey(4, 20)])
    save(tmp_path / "c/0.png", np.full((30, 90), 5, np.uint8))
    save(tmp_path / "c/1.png", np.full((60, 24), 6, np.uint8))
    clips = whole(tmp_path)
    assert (clips.shape, levels(clips)) == ((1, 30, 30), [[1, 2], [3, 4], [5, 6]])
    assert whole(tmp_path, size=8).shape == (1, 8, 8)


def test_a_set_is_in_colour_if_any_frame_is_although_films_begin_in_black(tmp_path):
    red = np.zeros((16, 16, 3), dtype=np.uint8)
    red[..., 0] = 200
    folder_of_frames(tmp_path / "grey", [7, 8])
    assert whole(tmp_path).shape == (1, 16, 16)
    folder_of_frames(tmp_path / "red", [0, 0])
    save(tmp_path / "red/2.png", red)
    clips = whole(tmp_path)
    assert clips.shape == (3, 16, 16)
    assert clips.frames[:, :, 0, 0].tolist() == [[7] * 3, [8] * 3, [0] * 3, [0] * 3, [200, 0, 0]]


def test_arrays(tmp_path):
    noise = np.random.default_rng(0)
    pixels = noise.integers(0, 256, (5, 4, 20, 20), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=pixels)
    clips = whole(tmp_path / "a.npz")
    assert np.array_equal(torch.stack([clips.video(i) for i in range(5)])[:, :, 0], pixels)
    assert (clips.names[1], clips.labels.tolist()) == ("a.npz/1", [-1] * 5)
    assert len(data.load_videos(str(tmp_path / "a.npz")).test) == 1
    colour = noise.integers(0, 256, (2, 3, 12, 30, 3), dtype=np.uint8)
    np.savez(tmp_path / "b.npz", videos=colour, x=pixels)
    assert whole(tmp_path / "b.npz").shape == (3, 16, 16)
    assert np.array_equal(whole(tmp_path / "b.npz", size=12).video(1), colour[1, :, :, 9:21].transpose(0, 3, 1, 2))


# --- left out, and refused -----------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_left_out_and_told(tmp_path):
    folder_of_frames(tmp_path / "good", [1, 2, 3])
    folder_of_frames(tmp_path / "single", [1])
    folder_of_frames(tmp_path / "short", [1, 2])
    (folder_of_frames(tmp_path / "gap", [1, 2, 3, 4]) / "2.png").write_text("no image")
    (tmp_path / "text.gif").write_text("no image")
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.avi").touch()
    save(tmp_path / "poster.png", grey(5))
    cut = animation(tmp_path / "cut.gif", list(np.random.default_rng(0).integers(0, 256, (9, 16, 16), np.uint8)))
    cut.write_bytes(cut.read_bytes()[:-100])
    split = data.load_videos(str(tmp_path))
    assert split.train.names == [str(tmp_path / "good")]
    reasons = {name.removeprefix(f"{tmp_path}/"): reason for name, reason in split.skipped}
    assert "image file is truncated" in reasons.pop("cut.gif")
    invalid = "Invalid data found when processing input"
    assert reasons == {
        "single": "it has one frame; a next frame needs at least two",
        "poster.png": "it has one frame; a next frame needs at least two",
        "short": "2 of 3 frames",
        "gap": "2.png: not an image",
        "text.gif": "not an image",
        "text.mp4": invalid,
        "empty.avi": invalid,
    }


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    refused("song.mp4 (no images in it, only sound)", tmp_path)


def test_bombs_are_refused(tmp_path, monkeypatch):
    film(tmp_path / "a.mp4", coloured(3))
    animation(tmp_path / "b.gif", [grey(1, 32), grey(2, 32)])
    folder_of_frames(tmp_path / "c", [1, 2, 3])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    split = data.load_videos(str(tmp_path))
    assert split.train.names == [str(tmp_path / "c")]
    assert [reason[-21:] for _, reason in split.skipped] == ["a decompression bomb?"] * 2


def test_no_video_has_a_next_frame(tmp_path):
    save(tmp_path / "a.gif", grey(1))
    said = refused("has no video of at least 3 frames", tmp_path)
    assert f"of 1 left out is {tmp_path / 'a.gif'} (it has one frame; a next frame needs at least two)" in said
    assert "the frame images of a video go into a folder of its own" in said
    (tmp_path / "a.gif").write_text("no image")
    refused("a.gif (not an image)", tmp_path)
    refused("sprites/0 (20 of 21 frames)", "sprites", frames=21)


def test_folders_without_videos(tmp_path):
    refused("has no video; looked for folders of frame images and for .gif, .webp, .png, .mp4", tmp_path)
    (tmp_path / "emu").mkdir()
    refused("has no video", tmp_path)
    folder_of_frames(tmp_path / "cat/a", [1, 2, 3])
    refused("emu has no video. Add some, or remove the folder.", tmp_path)
    (tmp_path / "emu").rmdir()
    animation(tmp_path / "stray.gif", [grey(1), grey(2)])
    refused("has 1 videos (or folders of frames) outside a class folder, the first is stray.gif", tmp_path)


def test_what_is_not_there_or_no_set_of_videos(tmp_path):
    refused("none is not there; give a folder of videos, an .npz, or sprites.", tmp_path / "none")
    refused("is not there", "clips.npz")
    refused("did you mean sprites?", "sprits")
    refused("known: sprites.", "qwerty")
    refused("a.mp4 is neither a folder nor an .npz; put videos into a folder", film(tmp_path / "a.mp4", coloured(3)))


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"y": np.zeros((2, 3, 8, 8), np.uint8)}, "has the arrays y; it needs one called videos, or x."),
        ({"x": np.zeros((2, 3, 8, 8))}, "x is float64 [2, 3, 8, 8]; videos are uint8"),
        ({"x": np.zeros((2, 8, 8), np.uint8)}, "x is uint8 [2, 8, 8]; videos are"),
        ({"x": np.zeros((2, 3, 8, 8, 2), np.uint8)}, "x is uint8 [2, 3, 8, 8, 2]; videos are"),
        ({"x": np.zeros((9, 32, 32, 3), np.uint8)}, "x is uint8 [9, 32, 32, 3]; videos are"),
        ({"x": np.zeros((0, 3, 8, 8), np.uint8)}, "x is uint8 [0, 3, 8, 8]; videos are"),
        ({"x": np.zeros((2, 1, 8, 8), np.uint8)}, "a.npz/0 (it has one frame"),
    ],
)
def test_arrays_that_are_no_videos(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    refused(words, tmp_path / "a.npz")
    (tmp_path / "b.npz").write_text("no zip")
    refused("b.npz is not a readable .npz", tmp_path / "b.npz")


def test_settings_out_of_range():
    refused("1 frames are too few; a next frame needs at least two.", "sprites", frames=1)
    refused("size of 2", "sprites", size=2)
    refused("share of 1.0", "sprites", test_share=1.0)


def test_more_than_memory_holds_is_refused(tmp_path, monkeypatch):
    said = refused("The frames of sprites take more than 1,000 MB at 512 x 512 pixels", "sprites", size=512)
    assert said.endswith("choose a smaller --size or fewer videos.")
    monkeypatch.setattr(loading, "MEMORY_LIMIT", 6 * 16 * 16)
    folder_of_frames(tmp_path / "videos/a", [1, 2, 3])
    folder_of_frames(tmp_path / "videos/b", [1, 2, 3])
    assert len(whole(tmp_path / "videos")) == 2
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 16, 16), np.uint8))
    refused("a.npz take more than", tmp_path / "a.npz")
    folder_of_frames(tmp_path / "videos/c", [1])
    refused("videos take more than 0 MB at 16 x 16 pixels", tmp_path / "videos")


def test_without_av_one_line_says_what_to_install(tmp_path, monkeypatch):
    film(tmp_path / "a.mp4", coloured(3))
    monkeypatch.setitem(sys.modules, "av", None)
    said = refused("a.mp4 needs the package av", tmp_path)
    assert said.endswith("pip install 'caudex[video]'")
    folder_of_frames(tmp_path / "b", [1, 2, 3])
    (tmp_path / "a.mp4").unlink()
    assert len(whole(tmp_path)) == 1
