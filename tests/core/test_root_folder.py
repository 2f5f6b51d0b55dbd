"""Below the root of a run nothing is followed: neither links, nor pipes, nor names that lead out."""

import os

import pytest
from helpers.folders import file_names

from caudex.core.errors import CaudexError
from caudex.core.loggers import open_logger
from caudex.core.root_folder import RootFolder
from caudex.core.run import Run

LINK = r"is a link, which is not followed inside a run folder; remove it, or put a copy of the file there"


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "outside" / "inner").mkdir(parents=True)
    (tmp_path / "outside" / "file").write_text("secret")
    (tmp_path / "outside" / "inner" / "file").write_text("secret")
    return tmp_path / "outside"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return RootFolder(tmp_path / "run")


def test_files_are_written_read_appended_cut_and_removed(folder):
    folder.write("a/b/file", b"one")
    folder.append("a/b/file", b" two")
    assert folder.read("a/b/file") == b"one two" and folder.stat("a/b/file").st_size == 7
    folder.truncate("a/b/file", 3)
    assert folder.below("a").below("b").read("file") == b"one" and folder.names("a/b") == ["file"]
    folder.rename("a/b", "c")
    folder.remove("a/c/file")
    assert folder.names("a/c") == [] and folder.names("nowhere") == [] and folder.read("a/c/file") is None
    folder.remove("a")
    assert folder.names() == []


def test_the_root_itself_may_be_a_link(tmp_path, outside):
    (tmp_path / "named").symlink_to(outside)
    assert RootFolder(tmp_path / "named").read("inner/file") == b"secret"


@pytest.mark.parametrize(
    "use",
    [
        lambda folder: folder.read("link/file"),
        lambda folder: folder.read("link"),
        lambda folder: folder.stat("link"),
        lambda folder: folder.names("link"),
        lambda folder: folder.names(""),
        lambda folder: folder.plain_path("link/new"),
        lambda folder: folder.write("link/file", b"new"),
        lambda folder: folder.append("link/file", b"new"),
        lambda folder: folder.append("link", b"new"),
        lambda folder: folder.truncate("link", 0),
        lambda folder: folder.make_folder("link/new"),
        lambda folder: folder.remove("link"),
        lambda folder: folder.remove("link/file"),
        lambda folder: folder.rename("link", "other"),
    ],
)
@pytest.mark.parametrize("target", ["outside", "outside/file", "nowhere", "run/link"])
def test_links_are_refused_by_name(folder, outside, tmp_path, use, target):
    (tmp_path / "run" / "link").symlink_to(tmp_path / target)
    with pytest.raises(CaudexError, match=f"run/link {LINK}"):
        use(folder)
    assert (outside / "file").read_text() == "secret" and file_names(outside / "inner") == ["file"]
    assert sorted(file_names(outside)) == ["file", "inner"]


def test_a_link_that_stands_where_a_file_is_written_goes(folder, outside, tmp_path):
    (tmp_path / "run" / "page").symlink_to(outside / "file")
    (tmp_path / "run" / ".page.aside").symlink_to(outside / "file")
    folder.write("page", b"new")
    assert (outside / "file").read_text() == "secret"
    assert (tmp_path / "run" / "page").read_bytes() == b"new" and file_names(tmp_path / "run") == ["page"]


def test_removing_a_folder_leaves_what_links_in_it_name(folder, outside, tmp_path):
    (tmp_path / "run" / "old").mkdir()
    (tmp_path / "run" / "old" / "link").symlink_to(outside)
    folder.remove("old")
    assert folder.names() == [] and (outside / "inner" / "file").exists()


def test_names_that_lead_out_pipes_folders_and_hard_links_are_refused(folder, outside, tmp_path):
    for name in ("../outside/file", "/etc/passwd", "a/../../outside/file", "a\0b"):
        with pytest.raises(CaudexError, match="leads out of"):
            folder.read(name)
    os.mkfifo(tmp_path / "run" / "pipe")
    (tmp_path / "run" / "folder").mkdir()
    os.link(outside / "file", tmp_path / "run" / "hard")
    for name in ("pipe", "folder"):
        for use in (folder.read, lambda name: folder.append(name, b"x"), lambda name: folder.truncate(name, 0)):
            with pytest.raises(CaudexError, match=f"run/{name} is no regular file; remove it"):
                use(name)
    for use in (lambda: folder.append("hard", b"x"), lambda: folder.truncate("hard", 0)):
        with pytest.raises(CaudexError, match="run/hard is a hard link"):
            use()
    with pytest.raises(CaudexError, match="run/hard is no folder; remove it"):
        folder.read("hard/file")
    assert (outside / "file").read_text() == "secret"


def test_what_is_too_large_is_not_read(folder):
    folder.write("file", b"12345")
    assert folder.read("file", 5) == b"12345"
    with pytest.raises(CaudexError, match="run/file has 5 bytes, and up to 4 are read"):
        folder.read("file", 4)


def test_what_tensorboard_reads_is_written_through_no_link(outside, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tensorboard").symlink_to(outside)
    with pytest.raises(CaudexError, match=f"run/tensorboard {LINK}"):
        open_logger(Run(tmp_path / "run"), 1)
    assert sorted(file_names(outside)) == ["file", "inner"]


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    folder = RootFolder(tmp_path)
    folder.write("labels.csv", b"old")
    for mode in (0o600, 0o664, 0o444):
        (tmp_path / "labels.csv").chmod(mode)
        folder.write("labels.csv", b"new")
        assert (tmp_path / "labels.csv").stat().st_mode & 0o777 == mode
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "other.csv").touch(0o600)
    (tmp_path / "labels.csv").symlink_to("other.csv")
    folder.write("labels.csv", b"new")
    assert not (tmp_path / "labels.csv").is_symlink() and (tmp_path / "other.csv").read_bytes() == b""
