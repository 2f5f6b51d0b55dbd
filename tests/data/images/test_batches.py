"""Batches are shuffled, viewed, shared out and resumed exactly; files are decoded ahead and bad ones left out."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.core.source import Source
from caudex.data import Batches, ImageFiles, ImageSet, InMemoryImages, Join
from caudex.data.images.decode import ImageFormat
from caudex.data.sampling import check_batch_fits
from caudex.views import Compose, GaussianNoise, RandAugment, RandomHorizontalFlip, RandomTranslation


def numbered_images(count, prefix="set"):
    """Images whose every pixel is their number."""
    pixels = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(count, 1, 4, 4).contiguous()
    names = [f"{prefix}/{i}" for i in range(count)]
    return ImageSet(InMemoryImages(pixels, names), torch.arange(count) % 3, ("a", "b", "c"))


def images_equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))


def test_an_epoch_shows_each_image_once_and_the_next_in_another_order():
    source = Batches(numbered_images(12), 4)
    first, second = (torch.cat([next(source).index for _ in range(3)]).tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second
    assert source.samples_seen == 24


@given(some.integers(1, 9), some.integers(1, 20), some.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_batches_are_full_and_no_image_is_seen_twice_more_than_another(count, size, seed):
    source = Batches(numbered_images(count), size, seed)
    batches = [next(source) for _ in range(4)]
    assert all(len(batch.index) == len(batch.images) == size for batch in batches)
    counts = torch.cat([batch.index for batch in batches]).bincount(minlength=count)
    assert counts.max() - counts.min() <= 1


def uneven_images():
    """Nineteen of the first class, one of the second, four of the third."""
    return replace(numbered_images(24), labels=torch.tensor([0] * 19 + [1] + [2] * 4))


def test_balanced_batches_have_as_many_of_each_class_and_rare_images_repeat():
    source = Batches(uneven_images(), 6, balanced=True)
    batches = [next(source) for _ in range(19)]
    assert all(batch.labels.bincount().tolist() == [2, 2, 2] for batch in batches)
    counts = torch.cat([batch.index for batch in batches]).bincount()
    assert counts[:20].tolist() == [2] * 19 + [38]
    assert sorted(counts[20:].tolist()) == [9, 9, 10, 10]


def test_balanced_batches_of_other_sizes_take_turns():
    source = Batches(uneven_images(), 4, balanced=True)
    assert torch.cat([next(source).labels for _ in range(3)]).bincount().tolist() == [4, 4, 4]
    small = Batches(uneven_images(), 2, balanced=True)
    assert sorted(torch.cat([next(small).labels for _ in range(3)]).tolist()) == [0, 0, 1, 1, 2, 2]


def test_balanced_batches_follow_from_the_seed_and_how_many_were_seen():
    noise = Compose([GaussianNoise(0.2)])
    source = Batches(uneven_images(), 6, seed=3, view=noise, balanced=True)
    batches = [next(source) for _ in range(12)]
    again = Batches(uneven_images(), 6, seed=3, view=noise, balanced=True)
    again.load_state_dict({"samples_seen": 42})
    assert all(images_equal(next(again), batch) for batch in batches[7:])
    other = Batches(uneven_images(), 6, seed=4, view=noise, balanced=True)
    assert not torch.equal(torch.cat([next(other).index for _ in range(12)]), torch.cat([b.index for b in batches]))
    only = [image for batch in batches for image, label in zip(batch.images, batch.labels) if label == 1]
    assert not torch.equal(only[0], only[1])  # the only one of its class is seen in another view each time


def test_images_labels_and_weights_belong_together():
    images = numbered_images(30)
    images.columns["colour"] = (torch.arange(30) % 2, ("red", "blue"))
    batch = next(Batches(images, 8, weights=torch.arange(30) / 10))
    assert torch.equal((batch.images * 255).round()[:, 0, 0, 0], batch.index.float())
    assert torch.equal(batch.labels, batch.index % 3)
    assert torch.equal(batch.columns["colour"], batch.index % 2)
    assert torch.equal(batch.weights, batch.index / 10)
    probabilities = torch.rand(30, 3)
    assert torch.equal(next(Batches(images, 8, labels=probabilities)).labels, probabilities[batch.index])


@given(some.integers(0, 20), some.integers(0, 20))  # eight batches are viewed in one call
@settings(max_examples=15, deadline=None)
def test_a_source_goes_on_exactly_where_it_was(before, ahead):
    view = Compose([RandomTranslation(0.2), RandAugment()])
    source, again = (Batches(numbered_images(10), 4, seed=5, view=view) for _ in range(2))
    for _ in range(before):
        next(source)
    state = source.state_dict()
    for _ in range(ahead):  # the other is somewhere else, in other epochs
        next(again)
    again.load_state_dict(state)
    assert all(images_equal(next(source), next(again)) for _ in range(4))


@pytest.mark.parametrize("size, calls", [(4, 2), (40_000, 3), (140_000, 9)])
def test_small_batches_are_viewed_several_in_a_call(size, calls):
    viewed = []
    source = Batches(numbered_images(200), size, view=lambda images, draw: viewed.append(len(images)) or images.float())
    batches = [next(source) for _ in range(9)]
    assert len(viewed) == calls
    assert all(len(batch.index) == len(batch.images) == size for batch in batches)
    assert max(viewed) * 16 <= max(1 << 21, size * 16)


def test_a_view_follows_the_image_and_the_epoch_not_the_batch():
    view = GaussianNoise(0.2)
    small, large = Batches(numbered_images(8), 2, seed=1, view=view), Batches(numbered_images(8), 8, seed=1, view=view)
    parts, large_batch = [next(small) for _ in range(4)], next(large)
    assert torch.equal(torch.cat([batch.images for batch in parts]), large_batch.images)
    again = next(large)
    assert not torch.equal(again.images[again.index.argsort()], large_batch.images[large_batch.index.argsort()])


def test_processes_share_a_batch_out(monkeypatch):
    whole_batch = next(Batches(numbered_images(12), 6, view=GaussianNoise(0.2)))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(next(Batches(numbered_images(12), 6, view=GaussianNoise(0.2))))
    assert torch.equal(torch.cat([part.images for part in parts]), whole_batch.images)
    with pytest.raises(CaudexError, match="a batch of 4 cannot be shared out evenly among 3 processes"):
        next(Batches(numbered_images(12), 4))


def test_a_batch_that_no_machine_holds_is_refused(monkeypatch):
    monkeypatch.setattr("caudex.data.sampling.total_memory", lambda: 100 * 10**9)
    check_batch_fits(100, 10**9)
    with pytest.raises(CaudexError, match="--batch 101 takes 101 GB"):
        check_batch_fits(101, 10**9)


def test_no_images_no_batches():
    with pytest.raises(CaudexError, match="no images"):
        Batches(numbered_images(0), 4)


# --- joined --------------------------------------------------------------------------------------------------------


def test_joined_sources_stand_one_after_the_other():
    few, many = Batches(numbered_images(6), 2, weights=torch.full((6,), 3.0)), Batches(numbered_images(9), 4)
    batch = next(Join(few, many))
    assert batch.source_index.tolist() == [0, 0, 1, 1, 1, 1]
    assert batch.weights.tolist() == [3, 3, 1, 1, 1, 1]
    assert torch.equal((batch.images * 255).round()[:, 0, 0, 0], batch.index.float())
    assert Join(few, many).samples_seen == 6


def test_joined_sources_resume_rest_and_end_together():
    join, again = (Join(Batches(numbered_images(6), 2), Batches(numbered_images(9), 4, seed=1)) for _ in range(2))
    next(join)
    again.load_state_dict(join.state_dict())
    assert images_equal(next(join), next(again))

    class Tired(Source):
        can_checkpoint = False

        def __next__(self):
            raise StopIteration

    assert join.can_checkpoint
    assert not Join(join, Tired()).can_checkpoint
    with pytest.raises(StopIteration):
        next(Join(join, Tired()))
    other = Join(join, Tired())
    other.load_state_dict(other.state_dict())  # a part may have nothing to remember


# --- files ---------------------------------------------------------------------------------------------------------


class Folder(list):
    """Paths, and how often each was decoded and by which thread."""

    def __init__(self, root, count, bad=()):
        super().__init__()
        self.threads, self.opened = set(), []
        for i in range(count):
            self.append(str(root / f"{i}.png"))
            if i in bad:
                (root / f"{i}.png").write_text("no image")
            else:
                Image.fromarray(np.full((4, 4), i, dtype=np.uint8)).save(self[-1])

    def source(self, row):
        self.threads.add(threading.get_ident())
        self.opened.append(row)
        return self[row]


def stream_images(folder):
    return ImageSet(ImageFiles(folder, ImageFormat((1, 4, 4))), torch.arange(len(folder)) % 3, ("a", "b", "c"))


def test_files_give_the_batches_that_memory_gives(tmp_path):
    view = Compose([RandomHorizontalFlip(), GaussianNoise(0.1)])
    files, memory = (
        Batches(set_, 4, seed=2, view=view) for set_ in (stream_images(Folder(tmp_path, 30)), numbered_images(30))
    )
    assert all(images_equal(next(files), next(memory)) for _ in range(17))


def test_the_next_batches_are_decoded_meanwhile_and_by_other_threads(tmp_path):
    folder = Folder(tmp_path, 40)
    source = Batches(stream_images(folder), 4)
    first = next(source)
    for _, _, coming in source._prefetched.values():
        coming.result()
    assert len(folder.opened) == 16  # this one and three more
    assert set(first.index.tolist()) < set(folder.opened)
    assert threading.get_ident() not in folder.threads
    for _ in range(9):
        next(source)
    for _, _, coming in source._prefetched.values():
        coming.result()
    assert len(folder.opened) == 40 + 12  # none twice, but for the next epoch's


def test_decoding_ahead_does_not_change_where_one_goes_on(tmp_path):
    set_ = stream_images(Folder(tmp_path, 10))
    source, again = Batches(set_, 4, seed=5), Batches(set_, 4, seed=5)
    for _ in range(3):
        next(source)
    next(again)
    again.load_state_dict(source.state_dict())
    assert again.state_dict() == {"samples_seen": 12}
    assert all(images_equal(next(source), next(again)) for _ in range(5))


def test_unreadable_files_are_left_out_of_their_batches(tmp_path):
    source = Batches(stream_images(Folder(tmp_path, 40, bad=(7, 30))), 8, weights=torch.arange(40.0))
    batches = [next(source) for _ in range(10)]
    indices = torch.cat([batch.index for batch in batches])
    assert indices.bincount().tolist() == [0 if i in (7, 30) else 2 for i in range(40)]
    for batch in batches:
        assert torch.equal((batch.images * 255).round()[:, 0, 0, 0], batch.index.float())
        assert torch.equal(batch.labels, batch.index % 3)
        assert torch.equal(batch.weights, batch.index.float())


def test_a_batch_of_nothing_is_passed_over(tmp_path):
    source = Batches(stream_images(Folder(tmp_path, 20, bad=(7,))), 1)
    assert sorted(next(source).index.item() for _ in range(19)) == [i for i in range(20) if i != 7]
    assert next(source).index.item() != 7


def test_too_many_unreadable_files_stop_training(tmp_path):
    source = Batches(stream_images(Folder(tmp_path, 20, bad=(3, 4))), 4)
    with pytest.raises(CaudexError, match="2 of 20 images cannot be read, for example"):
        for _ in range(5):
            next(source)
