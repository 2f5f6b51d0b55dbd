"""Texts come from disk in pieces: nothing is lost, nothing is guessed, and nothing large is held."""

import pytest
from helpers.documents import join_pieces

from caudex.core.errors import CaudexError
from caudex.data.text.documents import open_documents


def test_files_of_a_folder_by_name_then_those_of_the_folders_in_it(tmp_path):
    for name in ("b.txt", "a.md", "z/c.TXT", "m/d.txt", ".hidden.txt", ".hidden/e.txt", "picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "m" / "again").symlink_to(tmp_path)  # no folder is entered twice
    read = open_documents(str(tmp_path))
    assert join_pieces(read) == join_pieces(read) == ["a.md", "b.txt", "m/d.txt", "z/c.TXT"]
    assert read.skipped == [(str(tmp_path / "m/again"), "a link to a folder above it")] and read.replaced_bytes == 0
    assert join_pieces(open_documents(str(tmp_path / "b.txt"))) == ["b.txt"]


def test_line_ends_are_one_and_a_mark_at_the_start_is_none(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\ntwo\r\n".encode())
    assert join_pieces(open_documents(str(tmp_path))) == ["one\ntwo\n"]


def test_each_row_of_a_table_is_a_document(tmp_path):
    (tmp_path / "a.csv").write_text('\ufeffid;text\n1;one\n2;"two;\n""2"""\n3;\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "three", "other": 3}\n\n{"other": 4}\n{"text": "f\\u00fcnf\\n"}\n')
    read = open_documents(str(tmp_path))
    assert join_pieces(read) == ["one", 'two;\n"2"', "three", "fünf\n"]
    assert read.skipped == [(str(tmp_path / name), "rows without text: 1") for name in ("a.csv", "b.jsonl")]
    assert join_pieces(open_documents(str(tmp_path / "b.jsonl"), column="other")) == ["3", "4"]


def test_what_is_no_text_is_left_out_and_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "b.txt").write_text("")
    (tmp_path / "c.txt").write_text(" \n")
    (tmp_path / "d.txt").write_text("text")
    (tmp_path / "e.txt").symlink_to(tmp_path / "nowhere.txt")
    read = open_documents(str(tmp_path))
    assert join_pieces(read) == join_pieces(read) == ["text"]
    assert [(path[-5:], reason.split()[0]) for path, reason in read.skipped] == [
        ("e.txt", "a"),
        ("a.txt", "binary"),
        ("b.txt", "empty"),
        ("c.txt", "empty"),
    ]


def test_a_file_that_goes_meanwhile_is_left_out(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    read = open_documents(str(tmp_path))
    (tmp_path / "a.txt").unlink()
    assert join_pieces(read) == ["two"]
    assert read.skipped == [(str(tmp_path / "a.txt"), "No such file or directory")]


def test_bytes_that_are_not_utf8_are_counted_or_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 au lait \xff\xfe")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "one"}\n{"text": "caf\xe9"}\n')
    (tmp_path / "c.csv").write_bytes(b"text\ncaf\xe9\n")
    read = open_documents(str(tmp_path))
    assert join_pieces(read) == ["caf� au lait ��", "one", "caf�", "caf�"]
    assert read.replaced_bytes == 5
    list(read)
    assert read.replaced_bytes == 5  # of the last pass
    for name, offset in (("a.txt", 3), ("b.jsonl", 29), ("c.csv", 8)):
        with pytest.raises(CaudexError, match=rf"{name} is not UTF-8 at byte {offset} \(0xe9\)"):
            list(open_documents(str(tmp_path / name), strict=True))


def test_half_a_character_is_replaced_or_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d\\ude00 \\ud83d!"}\n')
    read = open_documents(str(tmp_path))
    assert join_pieces(read) == ["😀 �!"] and read.replaced_bytes == 1
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
