"""Streams are the same however they were built; what is held out of them."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.texts import character_tokenizer, make_sentences, numbered_stream, wordpiece_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core.disk import lock_folder
from caudex.core.errors import CaudexError
from caudex.data.text import shards
from caudex.data.text.documents import open_documents
from caudex.data.text.token_stream import TokenStream, open_token_stream
from caudex.data.text.token_windows import TokenBatches, evaluation_windows
from caudex.data.text.tokenizers import Tokenizer


def write_corpus(folder, count=12):
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:02}.txt").write_text(make_sentences(i + 1, 3 + 5 * i))
    return open_documents(str(folder))


def folder_bytes(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if not file.name.startswith(".")}


# -- streams -------------------------------------------------------------------------------------------------------


def test_a_stream_is_all_documents_each_with_its_end(tmp_path):
    read, tokenizer = write_corpus(tmp_path / "texts"), wordpiece_tokenizer()
    built = open_token_stream(read, tokenizer, tmp_path / "stream")
    texts = [text for _, text in read]
    assert len(built.starts) == 12 and built.tokens.dtype == np.uint16
    for i, text in enumerate(texts):
        assert built.document(i).tolist() == [*tokenizer.encode(text), tokenizer.sep_token_id]
    assert len(built) == sum(len(tokenizer.encode(text)) + 1 for text in texts)
    assert set(folder_bytes(tmp_path / "stream")) == {"tokens.bin", "starts.npy", "meta.json", "tokenizer.json"}
    assert built.meta["format"] == 1 and built.meta["replaced_bytes"] == 0 and built.meta["documents"] == 12


@given(
    some.lists(some.text(some.sampled_from("ab é\n."), min_size=1, max_size=60), min_size=1, max_size=8),
    some.integers(1, 90),
)
@settings(max_examples=25, deadline=None)
def test_shards_do_not_show(tmp_path_factory, texts, shard):
    folder = tmp_path_factory.mktemp("stream")
    rows = [text for text in texts if text.strip()] or ["a"]
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    read, tokenizer = open_documents(str(folder / "a.jsonl")), character_tokenizer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_SIZE", shard)
        built = open_token_stream(read, tokenizer, folder / "stream")
    assert [tokenizer.decode(built.document(i)) for i in range(len(built.starts))] == [
        tokenizer.decode(tokenizer.encode_array(text)) + "<|endoftext|>" for text in rows
    ]


def test_one_long_document_is_that_of_the_text_in_one(tmp_path, monkeypatch):
    text = make_sentences(3, 60_000)
    (tmp_path / "a.txt").write_text(text)
    monkeypatch.setattr(shards, "SHARD_SIZE", 1 << 18)
    built = open_token_stream(open_documents(str(tmp_path / "a.txt")), wordpiece_tokenizer(), tmp_path / "stream")
    assert len(text) > 1 << 20 and len(built.starts) == 1
    assert built.document(0).tolist() == [*wordpiece_tokenizer().encode(text), wordpiece_tokenizer().sep_token_id]


def test_several_processes_build_the_same_bytes(tmp_path):
    read = write_corpus(tmp_path / "texts")
    open_token_stream(read, wordpiece_tokenizer(), tmp_path / "one")
    open_token_stream(read, wordpiece_tokenizer(), tmp_path / "two", workers=2)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


KILLED = """
import sys, time
from caudex.data.text import shards
from caudex.data.text.documents import open_documents
from caudex.data.text.token_stream import open_token_stream
from caudex.data.text.tokenizers import Tokenizer
shards.SHARD_SIZE = 200
write_atomically = shards.write_atomically
def slowly(file, content):
    write_atomically(file, content)
    time.sleep(0.02)
shards.write_atomically = slowly
texts, tokenizer, folder = sys.argv[1:]
open_token_stream(open_documents(texts), Tokenizer.load(tokenizer), folder)
"""


def test_a_build_that_was_killed_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    read, tokenizer = write_corpus(tmp_path / "texts"), wordpiece_tokenizer()
    monkeypatch.setattr(shards, "SHARD_SIZE", 200)
    open_token_stream(read, tokenizer, tmp_path / "whole")
    tokenizer.save(tmp_path / "tokenizer")
    killed = tmp_path / "killed"
    arguments = [str(tmp_path / "texts"), str(tmp_path / "tokenizer"), str(killed)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments])
    deadline = time.monotonic() + 60
    while len(list(killed.glob("shard-*"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {file: file.stat().st_mtime_ns for file in killed.glob("shard-*")}
    assert len(before) >= 5 and not (killed / "meta.json").exists()
    with pytest.raises(CaudexError, match="killed has no finished stream"):
        TokenStream.load(killed)
    written = []
    monkeypatch.setattr(
        shards,
        "write_atomically",
        lambda file, content, write=shards.write_atomically: (written.append(file), write(file, content)),
    )
    open_token_stream(read, tokenizer, killed)
    assert folder_bytes(killed) == folder_bytes(tmp_path / "whole")
    assert not set(before) & set(written) and len([file for file in written if file.name.startswith("shard")]) > 1


class KilledTokenizer(Tokenizer):
    def encode_array(self, text):
        os.kill(os.getpid(), signal.SIGKILL)


def test_of_a_killed_worker_one_hears(tmp_path):
    read = write_corpus(tmp_path / "texts")
    with pytest.raises(CaudexError, match="was killed, perhaps for want of memory; begin again with fewer"):
        open_token_stream(read, KilledTokenizer(wordpiece_tokenizer().backend), tmp_path / "stream", workers=2)
    assert len(open_token_stream(read, wordpiece_tokenizer(), tmp_path / "stream", workers=2).starts) == 12


def test_who_wants_a_stream_that_another_builds_waits_for_it(tmp_path, monkeypatch):
    read, folder, stderr = write_corpus(tmp_path / "texts"), tmp_path / "stream", io.StringIO()
    folder.mkdir()
    monkeypatch.setattr(sys, "stderr", stderr)
    with ThreadPoolExecutor(1) as other, lock_folder(folder):  # unlocked first
        built = other.submit(open_token_stream, read, wordpiece_tokenizer(), folder)
        deadline = time.monotonic() + 60
        while "waiting for it" not in stderr.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "waiting for it" in stderr.getvalue() and not built.done() and not list(folder.glob("shard-*"))
    assert len(built.result().starts) == 12


def test_a_finished_stream_is_not_built_again_and_a_changed_one_is(tmp_path, capsys):
    read, folder = write_corpus(tmp_path / "texts"), tmp_path / "stream"
    open_token_stream(read, wordpiece_tokenizer(), folder)
    before = (folder / "tokens.bin").stat().st_mtime_ns
    assert len(open_token_stream(read, wordpiece_tokenizer(), folder).starts) == 12
    assert (folder / "tokens.bin").stat().st_mtime_ns == before and "again" not in capsys.readouterr().err
    (tmp_path / "texts" / "12.txt").write_text("One more.")
    more = open_documents(str(tmp_path / "texts"))
    with pytest.raises(CaudexError, match=r"texts is not what .*stream was built from: 12 files"):
        TokenStream.load(folder, documents=more)
    with pytest.raises(CaudexError, match="was built with another tokenizer; build it again, or use the"):
        TokenStream.load(folder, character_tokenizer())
    assert len(open_token_stream(more, wordpiece_tokenizer(), folder).starts) == 13
    assert "building it again" in capsys.readouterr().err
    assert TokenStream.load(folder, wordpiece_tokenizer(), more).tokenizer is wordpiece_tokenizer()
    assert open_token_stream(more, character_tokenizer(), folder).tokenizer.kind == "characters"


def test_texts_that_change_while_they_are_read_are_noticed(tmp_path, monkeypatch):
    read = write_corpus(tmp_path / "texts")
    shard = shards.write_shard
    monkeypatch.setattr(
        shards, "write_shard", lambda *job: (shard(*job), (tmp_path / "texts" / "03.txt").write_text("Other."))
    )
    with pytest.raises(CaudexError, match="changed while it was read"):
        open_token_stream(read, wordpiece_tokenizer(), tmp_path / "stream")


def test_what_is_not_whole_is_refused(tmp_path):
    folder = tmp_path / "stream"
    open_token_stream(write_corpus(tmp_path / "texts"), wordpiece_tokenizer(), folder)
    content = (folder / "tokens.bin").read_bytes()
    for cut in (content[:-2], content[:-1], b""):
        (folder / "tokens.bin").write_bytes(cut)
        with pytest.raises(CaudexError, match="is not whole"):
            TokenStream.load(folder)
    (folder / "meta.json").write_text("{")
    with pytest.raises(CaudexError, match=r"meta.json cannot be read"):
        TokenStream.load(folder)
    (folder / "meta.json").write_text('{"format": 2}')
    with pytest.raises(CaudexError, match="has format 2, this caudex reads 1"):
        TokenStream.load(folder)


def test_replaced_bytes_and_left_out_files_are_recorded(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_bytes(b"the cat sat \xe9\xe9.")
    (tmp_path / "texts" / "b.txt").write_bytes(b"\0")
    built = open_token_stream(open_documents(str(tmp_path / "texts")), wordpiece_tokenizer(), tmp_path / "stream")
    assert built.meta["replaced_bytes"] == 2 and built.meta["skipped"][0][0].endswith("b.txt")
    with pytest.raises(CaudexError, match=r"a.txt is not UTF-8 at byte 12"):  # what was built leniently will not do
        open_token_stream(
            open_documents(str(tmp_path / "texts"), strict=True), wordpiece_tokenizer(), tmp_path / "stream"
        )


# -- held out ------------------------------------------------------------------------------------------------------


@given(
    some.lists(some.integers(1, 50), min_size=1, max_size=60), some.sampled_from([0.1, 0.2, 0.5]), some.integers(1, 5)
)
@settings(max_examples=100, deadline=None)
def test_what_is_held_out_is_about_the_share_and_nothing_is_lost(lengths, share, window):
    stream = numbered_stream(np.array(lengths))
    try:
        train, held = stream.split(share, window)
    except CaudexError:
        assert len(stream) * min(share, 1 - share) <= window + 1 + 2 * len(lengths)
        return
    positions = [np.concatenate([np.arange(*each) for each in zip(part.starts, part.ends)]) for part in (train, held)]
    assert sorted(np.concatenate(positions)) == list(range(len(stream)))
    assert min(len(train), len(held)) > window
    assert len(held) <= max(2 * share * len(stream), share * len(stream) + len(lengths), window + 1 + 2 * len(lengths))
    for part, where in zip((train, held), positions):
        assert np.array_equal(part.tokens_at(np.arange(len(part))), stream.tokens_at(where))


def test_whole_documents_are_held_out_evenly():
    train, held = numbered_stream(np.full(100, 7)).split(0.1)
    assert (held.starts // 7).tolist() == list(range(4, 100, 10)) and len(train.starts) == 90


def test_of_few_documents_the_ends_are_held_out():
    train, held = numbered_stream(np.array([100, 50])).split(0.1)
    assert (train.lengths.tolist(), held.lengths.tolist()) == ([90, 45], [10, 5])
    assert held.starts.tolist() == [90, 145]
    train, held = numbered_stream(np.array([1000])).split(0.1, window=200)  # validation needs a window
    assert len(held) > 200 and len(train) + len(held) == 1000
    poems_and_a_book = numbered_stream(np.array([20] * 30 + [100_000]))
    assert 9_000 < len(poems_and_a_book.split(0.1)[1]) < 11_000


def test_too_few_tokens_are_refused():
    with pytest.raises(CaudexError, match=r"100 tokens are too few: .* the 64 of a window"):
        numbered_stream(np.array([100])).split(0.1, window=64)
    with pytest.raises(CaudexError, match=r"1.5 of the text cannot be held out"):
        numbered_stream(np.array([100])).split(1.5)
    with pytest.raises(CaudexError, match="64 tokens are no more than one window of 64; give more text"):
        TokenBatches(numbered_stream(np.array([64])), 2, 64)
    with pytest.raises(CaudexError, match="hold out more"):
        evaluation_windows(numbered_stream(np.array([64])), 64, 2)
