"""A prompt around a text: where it comes from, and that its end is never cut off."""

import pytest
from helpers.language_models import byte_tokenizer
from helpers.texts import AWKWARD, character_tokenizer, wordpiece_tokenizer

from caudex.core.errors import CaudexError
from caudex.core.trust import UntrustedName
from caudex.data.text.prompts import cut_text, default_prompt, encode_prompts, fill_prompt, read_prompt

TOKENIZERS = {"bpe": byte_tokenizer, "wordpiece": wordpiece_tokenizer, "characters": character_tokenizer}


def test_a_prompt_is_a_text_or_a_file(tmp_path):
    assert read_prompt(r"Review: {text}\nSentiment:") == "Review: {text}\nSentiment:"
    (tmp_path / "prompt.txt").write_bytes(b"\xef\xbb\xbfOne.\r\n{text}\\n\nMood: \n")
    assert read_prompt(str(tmp_path / "prompt.txt")) == "One.\n{text}\\n\nMood:"  # a file is taken as it is
    assert read_prompt("{text} and {second}", has_pairs=True) == "{text} and {second}"
    assert default_prompt("mood") == "Text: {text}\nMood:"
    assert read_prompt(default_prompt("label", True), True) == "Text: {text}\nText: {second}\nLabel:"


def test_a_prompt_without_a_place_is_refused(tmp_path):
    (tmp_path / "empty").write_text("")
    (tmp_path / "latin").write_bytes(b"{text} caf\xe9")
    (tmp_path / "long").write_text("{text}" + "x" * (1 << 16))
    for prompt, message in {
        "Sentiment:": r"--prompt 'Sentiment:' has no \{text\}, where the text goes",
        "x" * 5000 + "\x00": r"has no \{text\}",
        str(tmp_path / "empty"): r"has no \{text\}",
        str(tmp_path / "latin"): r"is not UTF-8; save it so",
        str(tmp_path / "long"): r"has over 64 KB",
        str(tmp_path / "no such file"): r"has no \{text\}",
    }.items():
        with pytest.raises(CaudexError, match=message):
            read_prompt(prompt)
    with pytest.raises(CaudexError, match=r"has no \{second\}"):
        read_prompt("{text}", has_pairs=True)


def test_a_strangers_run_names_no_file(tmp_path):
    (tmp_path / "prompt").write_text("{text} secret")
    with pytest.raises(CaudexError, match="reads its prompt from the file"):
        read_prompt(UntrustedName(str(tmp_path / "prompt"), "runs/theirs"))
    assert read_prompt(UntrustedName("{text}:", "runs/theirs")) == "{text}:"


def test_texts_may_spell_out_a_place():
    assert fill_prompt("{text}|{second}|{text}", "a {second}", "b {text}") == "a {second}|b {text}|a {second}"


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_end_of_a_prompt_survives(kind):
    tokenizer = TOKENIZERS[kind]()
    prompt, end = "the cat {text}\nsat on the mat", tokenizer.encode(" sat on the mat", False)[-3:]
    texts = [*AWKWARD, "the big dog " * 50, "x" * 500, "漢字" * 200]
    for max_length in (40, 100):
        rows = encode_prompts(tokenizer, prompt, texts, None, max_length)
        for text, (tokens, segments) in zip(texts, rows, strict=True):
            whole = tokenizer.encode(fill_prompt(prompt, text, ""), False)
            assert len(tokens) == len(segments) <= max_length and tokens[-3:] == end
            if len(whole) <= max_length:
                assert tokens == whole
        tokens = rows[texts.index("the big dog " * 50)][0]
        assert len(tokens) > max_length - 8 and tokenizer.decode(tokens).startswith("the cat the big dog")


def test_two_texts_share_the_room_and_both_ends_survive():
    tokenizer = byte_tokenizer()
    ((tokens, _),) = encode_prompts(tokenizer, "{text} and {second} who", ["a cat " * 90], ["the dog " * 90], 60)
    words = tokenizer.decode(tokens).split()
    assert len(tokens) <= 60 and words[-1] == "who" and words.index("and") > 5 and words.count("dog") > 5


def test_a_prompt_that_leaves_no_room_is_refused():
    with pytest.raises(CaudexError, match=r"alone has 60 tokens of the 64 that are seen at once; shorten it"):
        encode_prompts(character_tokenizer(), "the " * 15 + "{text}", ["cat"], None, 64)


def test_a_text_is_cut_at_its_tokens():
    tokenizer = byte_tokenizer()
    text = "the cat sat on the mat and " * 4
    for length in (1, 7, 20):
        assert tokenizer.encode(cut_text(tokenizer, text, length), False) == tokenizer.encode(text, False)[:length]
    assert cut_text(tokenizer, "cat", 100) == "cat" and cut_text(tokenizer, "cat", 0) == ""


def test_a_prompt_begins_with_the_token_that_its_tokenizer_puts_there(monkeypatch):
    tokenizer = byte_tokenizer()
    plain = encode_prompts(tokenizer, "{text} who", ["the cat", "the dog " * 50], None, 30)
    monkeypatch.setattr(tokenizer, "start_token_id", 7)
    (short, segments), (long, _) = encode_prompts(tokenizer, "{text} who", ["the cat", "the dog " * 50], None, 30)
    assert short == [7, *plain[0][0]] and len(segments) == len(short)
    assert long[0] == 7 and len(long) <= 30 and long[-1] == plain[1][0][-1]
