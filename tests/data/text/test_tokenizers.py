"""Tokenizers give back what they were given, agree with published ones, and are learned alike each time."""

import json
import pickle
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from helpers.texts import AWKWARD
from hypothesis import example, given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.data.text import utf8 as pieces
from caudex.data.text.documents import open_documents
from caudex.data.text.tokenizers import Tokenizer

TEXT = "The cat sat on the mat. The dog sat on the cat's mat! Did the unbelievable cats sit?\nThey're 1234 café mats.\n"
DOCUMENTS = [(0, TEXT * 20), (1, "Another document about cats, dogs and naïve mats; unbelievably so. " * 20)]


@cache
def learn_tokenizer(kind, size=0):
    return Tokenizer.train(kind, DOCUMENTS, size)


# -- there and back -------------------------------------------------------------------------------------------------


@given(some.text(max_size=200))
@example("a<|endoftext|>b")
@settings(max_examples=100, deadline=None)
def test_byte_level_bpe_gives_back_any_text(text):
    tokenizer = learn_tokenizer("bpe", 400)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode_array(text)) == text
    assert tokenizer.eos_token_id not in tokenizer.encode_array(text)


@given(some.text(some.sampled_from(sorted(set(TEXT))), max_size=200))
@settings(max_examples=50, deadline=None)
def test_characters_give_back_what_they_know(text):
    tokenizer = learn_tokenizer("characters")
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(text)) == len(text)


@given(some.text(max_size=100))
@settings(max_examples=100, deadline=None)
def test_characters_are_those_of_the_library(text):
    tokenizer = learn_tokenizer("characters")
    assert tokenizer.encode_array(text).tolist() == tokenizer.encode(text, parse_special=False)
    tokenizer.backend.encode_special_tokens = True
    assert tokenizer.backend.encode(text).ids == tokenizer.encode(text, parse_special=False)


def test_characters_that_were_not_seen_are_unknown():
    tokenizer = learn_tokenizer("characters")
    assert tokenizer.encode("a漢b") == [tokenizer.encode("a")[0], tokenizer.unk_token_id, tokenizer.encode("b")[0]]
    assert tokenizer.vocab_size == 2 + len(set("".join(text for _, text in DOCUMENTS)))
    few = learn_tokenizer("characters", 5)
    assert {few.id_to_token(id) for id in range(5)} == {"<|endoftext|>", "<|unknown|>", " ", "a", "t"}


def test_wordpiece_is_lower_case_and_marks_what_goes_on():
    tokenizer = learn_tokenizer("wordpiece", 120)
    tokens = [tokenizer.id_to_token(id) for id in tokenizer.encode("Unbelievable CATS, café")]
    assert tokens[0][0] == "u" and "".join(token.removeprefix("##") for token in tokens) == "unbelievablecats,cafe"
    assert tokenizer.decode(tokenizer.encode("The Cats sat.")) == "the cats sat."
    for id in range(tokenizer.vocab_size):
        assert tokenizer.is_continuation[id] == tokenizer.id_to_token(id).startswith("##")
    assert (
        tokenizer.pad_token_id,
        tokenizer.unk_token_id,
        tokenizer.cls_token_id,
        tokenizer.sep_token_id,
        tokenizer.mask_token_id,
    ) == (0, 1, 2, 3, 4)
    assert tokenizer.eos_token_id == tokenizer.sep_token_id
    assert tokenizer.encode("漢") == [tokenizer.unk_token_id]


def test_special_tokens_count_only_where_they_are_meant():
    wordpiece, bpe = learn_tokenizer("wordpiece", 120), learn_tokenizer("bpe", 400)
    assert wordpiece.mask_token_id in wordpiece.encode("the [MASK] sat")
    assert wordpiece.mask_token_id not in wordpiece.encode("the [MASK] sat", parse_special=False)
    assert wordpiece.mask_token_id not in wordpiece.encode_array("the [MASK] sat")
    assert (
        bpe.encode("a<|endoftext|>")[-1] == bpe.eos_token_id
        and bpe.decode([bpe.eos_token_id], skip_special_tokens=True) == ""
    )
    assert bpe.eos_token_id not in bpe.encode_batch(["a<|endoftext|>"], parse_special=False)[0]


def test_pieces_of_words_and_ends_of_sentences():
    bpe = learn_tokenizer("bpe", 400)
    going_on = {bpe.id_to_token(id): bool(bpe.is_continuation[id]) for id in range(bpe.vocab_size)}
    assert going_on["at"] and going_on["t"] and not going_on["Ġthe"] and not going_on["."] and not going_on["Ċ"]
    for tokenizer in (bpe, learn_tokenizer("wordpiece", 120), learn_tokenizer("characters")):
        (stop,), (letter,) = tokenizer.encode("."), tokenizer.encode("a")
        assert tokenizer.ends_sentence[stop] and not tokenizer.ends_sentence[letter]
        assert not tokenizer.ends_sentence[tokenizer.eos_token_id]
        assert tokenizer.ends_sentence.shape == tokenizer.is_continuation.shape == (tokenizer.vocab_size,)
    assert bpe.ends_sentence[bpe.encode("\n")[0]]


@pytest.mark.parametrize("kind, size", [("bpe", 400), ("wordpiece", 120)])
@given(some.text(some.sampled_from("ab é漢😀\n\t\u00a0.'sS1"), max_size=200), some.integers(4, 30))
@settings(max_examples=50, deadline=None)
def test_pieces_have_the_tokens_of_the_whole(kind, size, text, limit):
    tokenizer = learn_tokenizer(kind, size)
    parts = list(pieces.text_chunks(text, limit))
    if all(not a[-1].isspace() and b[0].isspace() for a, b in zip(parts, parts[1:])):
        assert np.array_equal(
            np.concatenate([tokenizer.encode_array(part) for part in ["", *parts]]), tokenizer.encode_array(text)
        )


# -- kept and learned -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, size", [("bpe", 400), ("wordpiece", 120), ("characters", 0)])
def test_what_is_saved_is_what_is_loaded(tmp_path, kind, size):
    tokenizer = learn_tokenizer(kind, size)
    tokenizer.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]
    for again in (Tokenizer.load(tmp_path), pickle.loads(pickle.dumps(tokenizer))):
        assert (
            again.fingerprint == tokenizer.fingerprint
            and again.kind == kind
            and again.eos_token_id == tokenizer.eos_token_id
        )
        assert again.encode_batch(AWKWARD) == tokenizer.encode_batch(AWKWARD)
    others = learn_tokenizer("bpe", 300), learn_tokenizer("bpe", 301), learn_tokenizer("wordpiece", 120)
    assert len({other.fingerprint for other in others}) == 3


@pytest.mark.parametrize("kind, size", [("bpe", 300), ("wordpiece", 150)])
def test_another_process_learns_the_same(kind, size):
    program = (
        "from caudex.data.text.tokenizers import Tokenizer; import json, sys;"
        "print(Tokenizer.train(*json.load(sys.stdin)).fingerprint)"
    )
    given = json.dumps([kind, DOCUMENTS, size])
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Tokenizer.train(kind, DOCUMENTS, size).fingerprint


def test_a_vocabulary_needs_room():
    for kind, size, message in [
        ("bpe", 100, "has no room for the 256 bytes and the end of a document; give at least 257"),
        ("wordpiece", 5, "at least 7"),
        ("characters", 2, "at least 3"),
        ("word-piece", 0, "'word-piece' is no kind of tokenizer. Did you mean wordpiece"),
    ]:
        with pytest.raises(CaudexError, match=message):
            Tokenizer.train(kind, DOCUMENTS, size)
    assert learn_tokenizer("wordpiece", 20).vocab_size <= 20  # more characters than room: the frequent ones


def test_much_text_is_learned_from_in_parts(tmp_path, monkeypatch):
    from caudex.data.text import vocabularies

    (tmp_path / "a.txt").write_text(TEXT * 5_000)
    read = open_documents(str(tmp_path))
    monkeypatch.setattr(vocabularies, "MAX_TRAINING_BYTES", read.num_bytes // 10)
    parts = list(vocabularies._training_text(read))
    assert read.num_bytes / 12 < sum(map(len, parts)) < read.num_bytes / 8 and max(map(len, parts)) <= 1 << 15


def test_without_the_library_one_hears_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(CaudexError, match=r"pip install 'caudex\[text\]'"):
        Tokenizer.train("bpe", DOCUMENTS, 300)
