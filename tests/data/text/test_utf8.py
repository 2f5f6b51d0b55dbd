"""Texts in pieces."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.data.text import rows
from caudex.data.text import utf8 as pieces
from caudex.data.text.documents import open_documents


@given(some.text(some.sampled_from("ab é漢😀\n\t\u00a0."), max_size=300), some.integers(4, 40))
@settings(max_examples=100, deadline=None)
def test_pieces_add_up_and_are_cut_between_words(tmp_path_factory, text, limit):
    file = tmp_path_factory.mktemp("pieces") / "a.txt"
    file.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch, file.open("rb") as stream:
        patch.setattr(pieces, "CHUNK_SIZE", limit)
        decoder = pieces.UTF8Decoder(strict=True)
        of_file = list(pieces.file_chunks(stream, file, decoder))
    of_text = list(pieces.text_chunks(text, limit))
    for chunks, size in ((of_file, lambda piece: len(piece.encode())), (of_text, len)):
        assert "".join(chunks) == text
        assert all(0 < size(piece) <= limit for piece in chunks)
        for one, other in zip(chunks, chunks[1:]):
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
        pieces = list(open_documents(str(tmp_path / name)))
        assert len(pieces) == 3 and {number for number, _ in pieces} == {0}
        assert "".join(piece for _, piece in pieces) == "word " * 500_000
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 1_000_000)
    with pytest.raises(CaudexError, match=r"a.jsonl, line 1 is longer than 1 MB; put a document of that length"):
        list(open_documents(str(tmp_path / "a.jsonl")))
