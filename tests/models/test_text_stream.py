"""Text as it comes is the text of all tokens, and stop strings are never shown."""

import pytest
from helpers.public_models import tiny_tokenizer
from helpers.texts import AWKWARD
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.models.text_stream import TextStream, overlap


def stream_text(stream, ids):
    parts = [stream.add(token) for token in ids]
    return parts, "".join([*parts, stream.finish()])


@pytest.mark.parametrize("kind", ["bpe", "characters"])
def test_the_parts_are_the_text_that_all_tokens_have_together(kind):
    tokenizer = tiny_tokenizer(kind)
    for text in [*AWKWARD, "".join(AWKWARD)]:
        prompt_ids, ids = tokenizer.encode("The cat", parse_special=False), tokenizer.encode(text, parse_special=False)
        parts, whole = stream_text(TextStream(tokenizer, prompt_ids), ids)
        expected = tokenizer.decode([*prompt_ids, *ids], skip_special_tokens=True)
        assert "The cat" + whole == expected.rstrip("\ufffd")
        assert not any("\ufffd" in part for part in parts[:-1]) or "\ufffd" in expected


@settings(deadline=None, max_examples=200)
@example("\naa", ["a", "\naa"], "bpe")
@given(
    st.text("abx\n", max_size=30),
    st.lists(st.text("abx\n", min_size=1, max_size=4), max_size=3),
    st.sampled_from(["bpe", "characters"]),
)
def test_text_is_cut_before_the_stop_string_that_ends_first_however_it_is_cut_into_tokens(text, stop, kind):
    tokenizer = tiny_tokenizer(kind)
    ids = tokenizer.encode(text, parse_special=False)
    parts, whole = stream_text(TextStream(tokenizer, [], stop), ids)
    text = tokenizer.decode(ids, skip_special_tokens=True)  # without characters that the vocabulary lacks
    completed = [(text.find(string) + len(string), text.find(string)) for string in stop if string in text]
    _, start = min(completed, default=(None, None))
    assert whole == text[:start]
    shown = ""
    for part in parts:
        shown += part
        assert not any(string in shown for string in stop)


def test_a_stop_string_that_spans_tokens_is_held_back_and_no_longer():
    tokenizer = tiny_tokenizer("characters")
    stream = TextStream(tokenizer, [], ["sat on"])
    parts = [stream.add(token) for token in tokenizer.encode("a sat in sat on the mat")]
    assert "".join(parts) == "a sat in " and stream.is_finished
    assert parts[2:8] == ["", "", "", "", "sat i", "n"]


def test_an_end_of_text_shows_what_was_held_back():
    tokenizer = tiny_tokenizer("bpe")
    stream = TextStream(tokenizer, [], ["Q:"], (tokenizer.eos_token_id,))
    assert "".join(map(stream.add, tokenizer.encode("Is it Q"))) == "Is it "
    assert (stream.add(tokenizer.eos_token_id), stream.is_finished) == ("Q", True)
    assert stream.add(tokenizer.encode("a")[0]) == stream.finish() == ""


def test_how_much_of_a_stop_string_a_text_ends_with():
    assert [overlap(text, "aab") for text in ("", "a", "aa", "baa", "aab", "ab", "aaa")] == [0, 1, 2, 2, 0, 0, 2]
    with pytest.raises(CaudexError, match="--stop is empty"):
        TextStream(tiny_tokenizer("bpe"), [], ["x", ""])
