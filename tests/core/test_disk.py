"""A file is replaced whole or stays."""

import errno
import os

import pytest
from helpers.folders import file_names

from caudex.core.disk import write_atomically


def test_a_file_is_replaced_whole_or_stays(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a" / "file", "old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "a" / "file", "new")
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert file_names(tmp_path / "a") == ["file"]
