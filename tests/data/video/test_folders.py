"""Sets of videos: what is held out, and each bad input with its sentence."""

import sys

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

from caudex import data
from caudex.data.images import stores
from caudex.data.video.sprites import SPRITE_KINDS, render_sprites, sample_scene, sprite_labels

# -- sets ----------------------------------------------------------------------------------------------------------


def test_sprites_are_held_out_whole_and_of_each_class_in_proportion():
    split = data.load_videos("sprites", seed=2)
    assert (len(split.train), len(split.test), split.skipped) == (400, 100, [])
    assert (split.train.shape, split.train.classes) == ((3, 32, 32), SPRITE_KINDS)
    assert not set(split.train.names) & set(split.test.names)
    assert len(split.train.names + split.test.names) == 500
    every = sprite_labels(500, seed=2)
    assert (split.test.labels.bincount() - every.bincount() * 0.2).abs().max() < 1
    number = int(split.test.names[3].removeprefix("sprites/"))
    assert split.test.labels[3] == every[number]
    assert torch.equal(split.test.video(3), render_sprites(sample_scene(number, 2, 2), np.arange(20), 32))


@pytest.mark.parametrize("count, share, held_out", [(1, 0.2, 0), (2, 0.2, 1), (2, 0.9, 1), (10, 0.3, 3), (10, 0, 0)])
def test_at_least_one_video_is_held_out_and_never_all(tmp_path, count, share, held_out):
    for i in range(count):
        write_frames(tmp_path / f"clip{i}", [20 * i, 20 * i + 5, 20 * i + 9])
    split = data.load_videos(str(tmp_path), test_share=share)
    assert (len(split.test), len(split.train)) == (held_out, count - held_out)
    assert sorted(first_pixels(split.train) + first_pixels(split.test)) == [
        [20 * i, 20 * i + 5, 20 * i + 9] for i in range(count)
    ]


def test_frames_and_videos_come_in_natural_order(tmp_path):
    for i in (1, 2, 10, 11):
        for t in (1, 2, 10, 9, 100):
            save_image(tmp_path / f"clip{i}" / f"frame{t}.png", grey_frame(10 * i + (1, 2, 9, 10, 100).index(t)))
    (tmp_path / "clip1/notes.txt").write_text("no frame")
    (tmp_path / "clip1/.frame3.png").write_text("hidden")
    clips = load_clips(tmp_path)
    assert first_pixels(clips) == [[10 * i + k for k in range(5)] for i in (1, 2, 10, 11)]
    assert clips.names[2] == str(tmp_path / "clip10")
    assert (clips.shape, clips.labels.tolist(), clips.classes) == ((1, 16, 16), [-1] * 4, ())


def test_class_folders_are_labels(tmp_path):
    write_frames(tmp_path / "run/a", [1, 2])
    write_frames(tmp_path / "run/b", [3, 4, 5])
    write_animation(tmp_path / "jump/c.gif", [grey_frame(6), grey_frame(7)])
    clips = load_clips(tmp_path)
    assert (clips.classes, clips.labels.tolist()) == (("jump", "run"), [0, 1, 1])
    assert first_pixels(clips) == [[6, 7], [1, 2], [3, 4, 5]]
    split = data.load_videos(str(tmp_path), frames=2, test_share=0.4)
    assert split.test.labels.tolist() == [1]


# -- left out, and refused -----------------------------------------------------------------------------------------


def test_settings_out_of_range():
    assert_videos_refused("1 frames are too few; a next frame needs at least two.", "sprites", frames=1)
    assert_videos_refused("size of 2", "sprites", size=2)
    assert_videos_refused("share of 1.0", "sprites", test_share=1.0)


def test_more_than_memory_holds_is_refused(tmp_path, monkeypatch):
    message = assert_videos_refused(
        "The frames of sprites take more than 1,000 MB at 512 x 512 pixels", "sprites", size=512
    )
    assert message.endswith("choose a smaller --size or fewer videos.")
    monkeypatch.setattr(stores, "MEMORY_LIMIT", 6 * 16 * 16)
    write_frames(tmp_path / "videos/a", [1, 2, 3])
    write_frames(tmp_path / "videos/b", [1, 2, 3])
    assert len(load_clips(tmp_path / "videos")) == 2
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 16, 16), np.uint8))
    assert_videos_refused("a.npz take more than", tmp_path / "a.npz")
    write_frames(tmp_path / "videos/c", [1])
    assert_videos_refused("videos take more than 0 MB at 16 x 16 pixels", tmp_path / "videos")


def test_without_av_one_line_says_what_to_install(tmp_path, monkeypatch):
    write_film(tmp_path / "a.mp4", coloured_frames(3))
    monkeypatch.setitem(sys.modules, "av", None)
    message = assert_videos_refused("a.mp4 needs the package av", tmp_path)
    assert message.endswith("pip install 'caudex[video]'")
    write_frames(tmp_path / "b", [1, 2, 3])
    (tmp_path / "a.mp4").unlink()
    assert len(load_clips(tmp_path)) == 1


@pytest.mark.parametrize("prefix", ["", "waves/"])
def test_a_split_is_the_test_and_no_class(tmp_path, prefix):
    for part, levels in (("Train", [10, 20, 30]), ("val", [100, 110])):
        for level in levels:
            write_frames(tmp_path / part / f"{prefix}{level}", [level, level + 1])
    split = data.load_videos(str(tmp_path), frames=2)
    assert split.train.classes == (("waves",) if prefix else ())
    assert first_pixels(split.train) == [[10, 11], [20, 21], [30, 31]]
    assert first_pixels(split.test) == [[100, 101], [110, 111]]
    if prefix:
        write_frames(tmp_path / "val/walks/1", [1, 2])
        assert_videos_refused("Train has waves, but", tmp_path)
