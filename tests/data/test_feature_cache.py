"""The cache of features: found by content, appended by several processes, cut anywhere."""

import errno
import mmap
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.data import feature_cache
from caudex.data.feature_cache import DIGEST, FeatureCache, missing_chunks


def digests(*numbers):
    return np.array([bytes([number] * DIGEST.itemsize) for number in numbers], DIGEST)


def features(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)[:, None] + torch.tensor([0.0, 0.5, 0.25])


def test_features_are_found_by_content(tmp_path):
    cache = FeatureCache(tmp_path / "cache", (3,))
    assert cache.find(digests(1, 2)).tolist() == [-1, -1]
    cache.append(digests(7, 0, 3), features(7, 0, 3))
    FeatureCache(tmp_path / "cache", (3,)).append(digests(255), features(255))
    rows = cache.find(digests(3, 255, 4, 7, 0))
    assert rows.tolist() == [2, 3, -1, 0, 1]
    stored = cache.open(rows)
    assert stored.shape == (3,)
    assert torch.equal(stored.fetch(torch.tensor([0, 1, 3, 4])), features(3, 255, 7, 0))
    assert cache.keys(2).tolist() == digests(3, 255).tolist() and len(cache.keys(9)) == 0


def test_maps_are_kept_in_their_form(tmp_path):
    cache, maps = FeatureCache(tmp_path, (2, 3, 4)), torch.arange(48.0).view(2, 2, 3, 4)
    cache.append(digests(1, 2), maps)
    assert torch.equal(cache.open(cache.find(digests(2, 1))).fetch(torch.tensor([1, 0])), maps)


@settings(max_examples=30)
@given(cut_keys=st.integers(0, 64), cut_features=st.integers(0, 24))
def test_a_cut_cache_loses_what_was_cut_and_nothing_else(tmp_path_factory, cut_keys, cut_features):
    folder = tmp_path_factory.mktemp("cache")
    FeatureCache(folder, (3,)).append(digests(1, 2, 3, 4), features(1, 2, 3, 4))
    for name, cut in {"keys": cut_keys, "features": cut_features}.items():
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) - cut])
    cache = FeatureCache(folder, (3,))
    whole = min((64 - cut_keys) // 16, (24 - cut_features) // 6)
    assert cache.find(digests(1, 2, 3, 4)).tolist() == [*range(whole), *[-1] * (4 - whole)]
    cache.append(digests(9), features(9))
    rows = cache.find(digests(9, *range(1, whole + 1)))
    assert rows.tolist() == [whole, *range(whole)]
    assert torch.equal(cache.open(rows).fetch(torch.arange(len(rows))), features(9, *range(1, whole + 1)))


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, (3,))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    with pytest.raises(CaudexError, match=r"No space left on device.*CAUDEX_CACHE"):
        cache.append(digests(1), features(1))
    assert cache.find(digests(1)).tolist() == [-1]
    assert Path(tmp_path).is_dir()


def test_the_form_of_numbers_is_chosen(tmp_path):
    precise = torch.tensor([[1 + 2**-20, 70_000.0, 3.0]])
    for dtype, expected in {torch.float32: precise, torch.float16: torch.tensor([[1.0, 65504.0, 3.0]])}.items():
        cache = FeatureCache(tmp_path / str(dtype), (3,), dtype)
        cache.append(digests(1), precise)
        assert torch.equal(
            FeatureCache(cache.folder, (3,), dtype).open(np.array([0])).fetch(torch.tensor([0])), expected
        )


def resident_file_bytes():
    """Bytes of mapped files in this process's memory."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system does not take pages back")
def test_of_a_large_file_little_stays_in_memory(tmp_path, monkeypatch):
    cache, count = FeatureCache(tmp_path, (1 << 18,)), 100  # 50 MiB
    for number in range(count):
        cache.append(digests(number), torch.full((1, 1 << 18), number))
    stored, before = cache.open(np.arange(count)), resident_file_bytes()
    monkeypatch.setattr(feature_cache, "MAX_MAPPED", 1 << 20)
    for rows in torch.randperm(count).split(4):
        assert torch.equal(stored.fetch(rows)[:, -1], rows.float())
    assert resident_file_bytes() - before < 8 << 20
    assert stored.values[7, 3] == 7  # what is let go is read again


def test_what_the_disk_cannot_hold_is_not_begun(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, (1 << 20,))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))
    rows = np.arange(512)
    assert len(list(missing_chunks(cache, digests(*range(256)).repeat(2), rows, 100))) == 6
    with pytest.raises(CaudexError, match=r"of 513 examples take 1.0 GiB, and .* has 1.0 GiB left; make room"):
        next(missing_chunks(cache, digests(*range(256)).repeat(3), np.arange(513), 100))
