"""Videos from every format have known pixels."""

import struct

import av
import numpy as np
import pytest
import torch
from helpers.video_files import (
    assert_videos_refused,
    coloured_frames,
    first_pixels,
    grey_frame,
    load_clips,
    save_image,
    write_animation,
    write_film,
    write_frames,
)
from PIL import Image

from caudex import data
from caudex.data.video import folders

# -- sets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, options", [("a.gif", {}), ("a.GIF", {}), ("a.webp", {"lossless": True}), ("a.png", {})])
def test_animations_are_read_frame_by_frame(tmp_path, name, options):
    frames = [np.kron(np.eye(4, k=t, dtype=np.uint8)[..., None], np.ones((4, 4, 1), np.uint8)) for t in range(4)]
    frames = [frame * np.array([250, 120, 0], np.uint8) for frame in frames]
    write_animation(tmp_path / name, frames, **options)
    clips = load_clips(tmp_path)
    assert (len(clips), clips.shape) == (1, (3, 16, 16))
    assert np.array_equal(clips.video(0).permute(0, 2, 3, 1), np.stack(frames))


def test_see_through_animations_stand_on_white(tmp_path):
    frames = np.zeros((3, 16, 16, 4), dtype=np.uint8)
    for t in range(3):
        frames[t, 4 * t : 4 * t + 4] = 0, 0, 0, 255
    write_animation(tmp_path / "a.png", list(frames), disposal=1)
    assert load_clips(tmp_path).video(0)[:, 0, ::4, 0].tolist() == [
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
    frames = coloured_frames(9)
    write_film(tmp_path / name, frames, codec, pixels)
    clips = load_clips(tmp_path)
    assert (clips.shape, clips.lengths.tolist()) == ((3, 32, 32), [9])
    error = (clips.video(0).permute(0, 2, 3, 1).int() - torch.from_numpy(np.stack(frames)).int()).abs()
    assert error.max() == 0 if exact else error.float().mean() < 6


def test_a_large_film_is_shrunk_as_its_frames_would_be(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 9, 16, 3), dtype=np.uint8)
    frames = [np.asarray(Image.fromarray(each).resize((320, 180), Image.Resampling.BICUBIC)) for each in noise]
    write_film(tmp_path / "films/a.mkv", frames, "ffv1", "bgr0")
    for t, frame in enumerate(frames):
        save_image(tmp_path / "frames/a" / f"{t}.png", frame)
    one, other = (load_clips(tmp_path / kind, size=24).video(0).float() for kind in ("films", "frames"))
    assert (one - other).abs().mean() < 3


def test_a_film_that_was_taken_upright_is_upright(tmp_path):
    frame = np.zeros((48, 32, 3), dtype=np.uint8)
    frame[:16, :16] = 255  # the upper left; once the telephone is turned, the upper right
    path = write_film(tmp_path / "a.mp4", [frame] * 3)
    turned = bytearray(path.read_bytes())
    matrix = turned.index(b"tkhd") + 44
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # clockwise
    turned[matrix : matrix + 36] = quarter
    path.write_bytes(turned)
    corner = load_clips(tmp_path, size=32).video(0)[0, 0].float()  # 48 x 32 is cut at the sides to 32 x 32
    assert corner[:12, 28:].min() > 200
    assert corner[:, :20].max() < 60
    assert corner[20:].max() < 60


def test_mixed_sizes_become_one(tmp_path):
    write_frames(tmp_path / "a", [1, 2], size=40)
    write_animation(tmp_path / "b.gif", [grey_frame(3, 20), grey_frame(4, 20)])
    save_image(tmp_path / "c/0.png", np.full((30, 90), 5, np.uint8))
    save_image(tmp_path / "c/1.png", np.full((60, 24), 6, np.uint8))
    clips = load_clips(tmp_path)
    assert (clips.shape, first_pixels(clips)) == ((1, 30, 30), [[1, 2], [3, 4], [5, 6]])
    assert load_clips(tmp_path, size=8).shape == (1, 8, 8)


def test_a_set_is_in_colour_if_any_frame_is_although_films_begin_in_black(tmp_path):
    red = np.zeros((16, 16, 3), dtype=np.uint8)
    red[..., 0] = 200
    write_frames(tmp_path / "grey", [7, 8])
    assert load_clips(tmp_path).shape == (1, 16, 16)
    write_frames(tmp_path / "red", [0, 0])
    save_image(tmp_path / "red/2.png", red)
    clips = load_clips(tmp_path)
    assert clips.shape == (3, 16, 16)
    assert clips.frames[:, :, 0, 0].tolist() == [[7] * 3, [8] * 3, [0] * 3, [0] * 3, [200, 0, 0]]


def test_arrays(tmp_path):
    noise = np.random.default_rng(0)
    pixels = noise.integers(0, 256, (5, 4, 20, 20), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=pixels)
    clips = load_clips(tmp_path / "a.npz")
    assert np.array_equal(torch.stack([clips.video(i) for i in range(5)])[:, :, 0], pixels)
    assert (clips.names[1], clips.labels.tolist()) == ("a.npz/1", [-1] * 5)
    assert len(data.load_videos(str(tmp_path / "a.npz")).test) == 1
    colour = noise.integers(0, 256, (2, 3, 12, 30, 3), dtype=np.uint8)
    np.savez(tmp_path / "b.npz", videos=colour, x=pixels)
    assert load_clips(tmp_path / "b.npz").shape == (3, 16, 16)
    assert np.array_equal(load_clips(tmp_path / "b.npz", size=12).video(1), colour[1, :, :, 9:21].transpose(0, 3, 1, 2))


# -- left out, and refused -----------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_left_out_and_reported(tmp_path):
    write_frames(tmp_path / "good", [1, 2, 3])
    write_frames(tmp_path / "single", [1])
    write_frames(tmp_path / "short", [1, 2])
    (write_frames(tmp_path / "gap", [1, 2, 3, 4]) / "2.png").write_text("no image")
    (tmp_path / "text.gif").write_text("no image")
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.avi").touch()
    save_image(tmp_path / "poster.png", grey_frame(5))
    cut = write_animation(tmp_path / "cut.gif", list(np.random.default_rng(0).integers(0, 256, (9, 16, 16), np.uint8)))
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
    assert_videos_refused("song.mp4 (no images in it, only sound)", tmp_path)


def test_bombs_are_refused(tmp_path, monkeypatch):
    write_film(tmp_path / "a.mp4", coloured_frames(3))
    write_animation(tmp_path / "b.gif", [grey_frame(1, 32), grey_frame(2, 32)])
    write_frames(tmp_path / "c", [1, 2, 3])
    monkeypatch.setattr(folders, "MAX_PIXELS", 600)
    split = data.load_videos(str(tmp_path))
    assert split.train.names == [str(tmp_path / "c")]
    assert all("a decompression bomb?" in reason for _, reason in split.skipped) and len(split.skipped) == 2


def test_no_video_has_a_next_frame(tmp_path):
    save_image(tmp_path / "a.gif", grey_frame(1))
    message = assert_videos_refused("has no video of at least 3 frames", tmp_path)
    assert f"of 1 left out is {tmp_path / 'a.gif'} (it has one frame; a next frame needs at least two)" in message
    assert "the frame images of a video go into a folder of its own" in message
    (tmp_path / "a.gif").write_text("no image")
    assert_videos_refused("a.gif (not an image)", tmp_path)
    assert_videos_refused("sprites/0 (20 of 21 frames)", "sprites", frames=21)


def test_folders_without_videos(tmp_path):
    assert_videos_refused("has no video; looked for folders of frame images and for .gif, .webp, .png, .mp4", tmp_path)
    (tmp_path / "emu").mkdir()
    assert_videos_refused("has no video", tmp_path)
    write_frames(tmp_path / "cat/a", [1, 2, 3])
    assert_videos_refused("emu has no video. Add some, or remove the folder.", tmp_path)
    (tmp_path / "emu").rmdir()
    write_animation(tmp_path / "stray.gif", [grey_frame(1), grey_frame(2)])
    assert_videos_refused("has 1 video (or folders of frames) outside a class folder, the first is stray.gif", tmp_path)


def test_what_is_not_there_or_no_set_of_videos(tmp_path):
    assert_videos_refused(
        "none is not there; give a folder of videos or an .npz, or one of: sprites.", tmp_path / "none"
    )
    assert_videos_refused("is not there", "clips.npz")
    assert_videos_refused("Did you mean sprites?", "sprits")
    assert_videos_refused("Known: sprites.", "qwerty")
    assert_videos_refused(
        "a.mp4 is not a folder of videos or an .npz.",
        write_film(tmp_path / "a.mp4", coloured_frames(3)),
    )


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
    assert_videos_refused(words, tmp_path / "a.npz")
    (tmp_path / "b.npz").write_text("no zip")
    assert_videos_refused("b.npz is not a readable .npz", tmp_path / "b.npz")
