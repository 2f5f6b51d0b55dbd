"""The systems that read: they learn a tiny language for real, go on with it, fill it in, and tell its classes."""

import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from helpers.command_line import assert_refused, invoke, run_cli
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex import load
from caudex.data import Tokenizer, encoded, padded
from caudex.data.text.documents import open_documents
from caudex.models.language_model import chosen
from caudex.models.passage_index import ByWords, Index, Passage, encode, passages
from caudex.models.prompting import SCHEMAS, Schema, answer, right, sentiment, winograd
from caudex.systems.text.semantic_search import found, without

ANIMALS = {"cat": "mat", "dog": "log", "hen": "pen", "fox": "box", "mouse": "house", "goat": "boat"}
QUICK = ("--threads", "1", "--context", "40", "--width", "32", "--depth", "2", "--heads", "2", "--batch", "16")


def story(number: int) -> str:
    """What an animal does is always the same: whoever knows the animal knows the end of the sentence."""
    draw = random.Random(number)
    names = [draw.choice(list(ANIMALS)) for _ in range(12)]
    return " ".join(f"The {name} sat on the {ANIMALS[name]}." for name in names)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("read")
    (path / "stories").mkdir()
    for number in range(60):
        (path / "stories" / f"{number:02}.txt").write_text(story(number) + "\n")
    with (path / "reviews.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "mood"])
        for number in range(120):
            name = random.Random(number).choice(list(ANIMALS))
            mood = "round" if name in ("cat", "dog", "hen") else "square"
            rows.writerow([f"The {name} sat on the {ANIMALS[name]} again, number {number}.", mood])
    return path


@pytest.fixture(scope="module")
def gpt(folder):
    words = ("--data", folder / "stories", "--vocabulary", "400", "--steps", "500", "--lr", "0.005", *QUICK)
    run_cli("train", "gpt", *words, "--run", folder / "gpt")
    return folder / "gpt"


@pytest.fixture(scope="module")
def bert(folder):
    words = (
        "--data",
        folder / "stories",
        "--vocabulary",
        "120",
        "--steps",
        "1400",
        "--lr",
        "0.002",
        *QUICK,
        "--width",
        "64",
    )
    run_cli("train", "bert", *words, "--run", folder / "bert")
    return folder / "bert"


# -- the next token ---------------------------------------------------------------------------------------------------


def test_it_learns_the_language_and_goes_on_with_it(gpt):
    results = json.loads((gpt / "results.json").read_text())
    assert results["model"]["nats a token"] < 0.35 * results["frequencies"]["nats a token"]
    told = {
        name: run_cli("generate", gpt, f"The {name} sat on", "--temperature", "0", "--max-tokens", "12").out
        for name in ANIMALS
    }
    assert sum(told[name].startswith(f"The {name} sat on the {end}.") for name, end in ANIMALS.items()) >= 5, told
    report = (gpt / "report.html").read_text()
    assert "Samples, as they came" in report
    assert (gpt / "samples.txt").read_text().count("|") == 4


def test_the_same_seed_says_the_same_and_several_texts_differ(gpt):
    words = ("generate", gpt, "The", "--max-tokens", "40", "--temperature", "1.5", "--top-p", "1")
    assert run_cli(*words, "--seed", "3").out == run_cli(*words, "--seed", "3").out
    assert run_cli(*words, "--seed", "3").out != run_cli(*words, "--seed", "4").out
    texts = run_cli(*words, "--num", "3").out.split("--- ")[1:]
    assert len(texts) == len(set(texts)) == 3


def test_a_memory_changes_no_word_and_what_no_longer_fits_is_forgotten(gpt):
    model = load(gpt)
    start = model.tokenizer.encode("The cat sat on the")
    told = "".join(part for (part,) in model.generate("The cat sat on the", 15, temperature=0))
    text = list(start)
    with torch.no_grad():
        for _ in range(15):
            layers = model.trunk(torch.tensor([text])).layers["tokens"][:, -1]
            text.append(
                model.signals["next-token"].logits(model.trunk, layers)[:, : model.tokenizer.size].argmax().item()
            )
    assert model.tokenizer.decode(text, specials=False) == "The cat sat on the" + told
    long = run_cli("generate", gpt, "The cat sat on", "--temperature", "0", "--max-tokens", "80")
    assert long.out.count("sat") > 6
    much = invoke("generate", gpt, story(0), "--max-tokens", "3")
    assert (much.code, "the model sees 40: it goes on from the last 40" in much.err) == (0, True)


def test_likelihoods_are_sums_of_each_tokens_own(gpt):
    model = load(gpt)
    pairs = [("The cat", " sat on the mat."), ("", "The dog sat"), ("The fox sat on the", " box")]
    told, counts = model.likelihoods(pairs, batch=2)
    for (given_, behind), said, count in zip(pairs, told, counts):
        before, whole = ([model.tokenizer.end, *model.tokenizer.encode(text)] for text in (given_, given_ + behind))
        with torch.no_grad():
            layers = model.trunk(torch.tensor([whole[:-1]])).layers["tokens"][0]
            logs = model.signals["next-token"].logits(model.trunk, layers).log_softmax(-1)
        each = [logs[i, token].item() for i, token in enumerate(whole[1:])]
        assert count == len(whole) - len(before)
        assert said.item() == pytest.approx(sum(each[len(before) - 1 :]), abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.05, 1), st.floats(0.2, 3))
def test_only_the_likeliest_tokens_are_drawn(seed, top_p, temperature):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 20, generator=generator)
    drawn = chosen(logits, temperature, top_p, generator)
    shares = (logits / temperature).softmax(1)
    likelier = torch.where(shares > shares.gather(1, drawn[:, None]), shares, 0.0).sum(1)
    assert (likelier < top_p + 1e-6).all()
    assert torch.equal(chosen(logits, 0, top_p, generator), logits.argmax(1))


def test_the_seed_of_a_killed_training_gives_the_same_weights(gpt, folder, tmp_path):
    words = ["--data", folder / "stories", "--vocabulary", 400, "--steps", 500, "--lr", 0.005, *QUICK]
    command = [
        sys.executable,
        "-m",
        "caudex",
        "train",
        "gpt",
        *words,
        "--run",
        tmp_path / "again",
        "--save-seconds",
        0.2,
    ]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    saved = tmp_path / "again" / "stages" / "pretraining" / "checkpoints"
    started = time.time()
    while time.time() - started < 120 and not any(saved.glob("[0-9]*")):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (tmp_path / "again" / "finished.json").exists()
    run_cli("resume", tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (gpt / "model.safetensors").read_bytes()
    rows = [(run / "stages" / "pretraining" / "metrics.jsonl").read_text() for run in (gpt, tmp_path / "again")]
    assert rows[0] == rows[1]


# -- asked by the prompt alone -----------------------------------------------------------------------------------------


def test_a_pronoun_is_whom_the_model_expects(gpt):
    model = load(gpt)
    schemas = [Schema("_ sat on the log.", ("the cat", "the dog")), Schema("_ sat on the mat.", ("the cat", "the dog"))]
    assert [told.partial for told in winograd(model, schemas)] == [1, 0]
    assert [told.full for told in winograd(model, schemas)] == [1, 0]


def test_the_packaged_schemas_come_in_pairs_that_one_word_turns_round():
    for one, other in zip(SCHEMAS[::2], SCHEMAS[1::2]):
        assert one.candidates == other.candidates
        assert (one.answer, other.answer) == (0, 1)
        pairs = zip(one.sentence.split(), other.sentence.split(), strict=True)
        assert sum(a != b for a, b in pairs) == 1


def test_answers_and_sentiments_are_figures_even_where_the_model_knows_nothing(gpt):
    model = load(gpt)
    shares, shots = sentiment(model, ["Good.", "Bad, very bad."], 4)
    assert shots == 0  # a context of 40 tokens holds none
    assert ((shares > 0) & (shares < 1)).all()
    said, sure = answer(model, "Who?", 5)
    assert 0 <= sure <= 1 and "\n" not in said


@pytest.mark.parametrize(
    ("said", "truth", "is_right"),
    [("Charles Darwin.", "charles darwin", True), ("It was Darwin", "Charles Darwin", False), ("8", "18", False)],
)
def test_an_answer_must_hold_the_truth(said, truth, is_right):
    assert right(said, truth) is is_right


def test_asking_from_files_tells_how_many_are_right(gpt, tmp_path):
    file = tmp_path / "items.csv"
    file.write_text("sentence,candidates,answer\n_ sat on the log.,the cat|the dog,the dog\n")
    said = run_cli("ask", gpt, "--task", "winograd", file).out
    assert "partial: 1 of 1 right" in said and "guessing has 50%" in said
    file.write_text("sentence,candidates,answer\n_ sat on the log.,the cat|the dog,the hen\n")
    assert_refused("ask", gpt, "--task", "winograd", file, because="the answer 'the hen' is not among the cat, the dog")
    file.write_text("sentence,who\na,b\n")
    assert_refused("ask", gpt, "--task", "winograd", file, because="has no column 'candidates'; it has sentence, who")
    assert_refused("ask", gpt, "--task", "mood", "a", because="--task mood is unknown; choose sentiment, winograd, qa")
    assert_refused("ask", gpt, "--task", "winograd", "no such", because="'no such' is no .csv or .jsonl")


# -- hidden tokens ------------------------------------------------------------------------------------------------------


def test_bert_fills_in_what_it_learned_and_only_that(bert, gpt):
    model = load(bert)
    told = {name: model.fill(f"The {name} sat on the [MASK].")[0][0][0] for name in ANIMALS}
    assert sum(told[name] == end for name, end in ANIMALS.items()) >= 5, told
    assert "mat" in run_cli("fill", bert, "The cat sat on the [MASK].").out
    said = run_cli("fill", bert, "The cat sat on the mat.", "--then", "The dog sat on the log.").out
    random = json.loads((bert / "results.json").read_text())["random"]
    assert said.endswith(f"; one who has not read them would say {1 - random:.1%}\n") and said.count("\n") == 1
    assert_refused("fill", bert, "The cat sat.", because="hides nothing; put [MASK] where a word is to be told")
    assert_refused("fill", gpt, "The [MASK] sat.", because="this model cannot fill in: it learned next-token")
    assert_refused(
        "generate", bert, "The", because="this model cannot generate: it learned masked-token, next-sentence"
    )
    results = json.loads((bert / "results.json").read_text())
    assert results["masked-token loss"] < 0.4 * results["unigram"]


def test_one_document_is_enough_without_pairs(folder, tmp_path):
    (tmp_path / "one.txt").write_text("\n".join(story(number) for number in range(20)))
    words = ("--data", tmp_path / "one.txt", "--vocabulary", "120", "--steps", "20", *QUICK)
    said = invoke("train", "bert", *words)
    assert (said.code, "next-sentence pairs need two documents" in said.err) == (2, True)
    run = run_cli("train", "bert", *words, "--no-next-sentence", "--whole-words").run
    assert list(load(run).signals) == ["masked-token"]


# -- labels -------------------------------------------------------------------------------------------------------------


def test_classes_of_texts_are_learned_beside_words_counted(gpt, folder):
    words = ("--data", folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    said = run_cli("train", "text-labels", "--from", gpt, *words, "--steps", "150", "--batch", "16")
    results = json.loads((said.run / "results.json").read_text())
    assert results["fine-tuned"]["accuracy"] > 0.9
    assert {"from scratch", "words counted"} <= results.keys()
    assert (said.run / "figures" / "word-by-word.png").exists()
    model = load(said.run)
    told = model.predict(["The cat sat on the mat again, number 7.", "The fox sat on the box again, number 7."])
    assert [name for name, _ in told] == ["round", "square"]
    assert_refused("train", "text-labels", *words, "--from", said.run.parent, because="is not a run folder")
    assert_refused("claim", "text-labels", *words, because="--from is missing")
    assert_refused("train", "text-labels", *words[:4], "--label", "mod", because="has no column 'mod'")


def test_labels_of_one_class_are_refused(folder, tmp_path):
    (tmp_path / "one.csv").write_text("text,label\nfine,good\nnice,good\n")
    assert_refused("train", "text-labels", "--data", tmp_path / "one.csv", because="a classifier needs two")


def test_pairs_and_long_texts_fit_into_the_context():
    tokenizer = Tokenizer.learn("wordpiece", [(0, "a b c d e f g h " * 20)], 60)
    rows = encoded(tokenizer, ["a " * 50, "b"], ["c " * 3, "d " * 50], 16)
    assert [len(tokens) for tokens, _ in rows] == [16, 16]
    for tokens, marks in rows:
        assert tokens[0] == tokenizer.cls and tokens.count(tokenizer.sep) == 2 and tokens[-1] == tokenizer.sep
        assert marks == sorted(marks) and len(marks) == len(tokens)
    assert sum(rows[0][1]) == 4  # the short one is whole
    batch = padded([*rows, ([1, 2], [0, 0])])
    assert batch.lengths.tolist() == [16, 16, 2] and batch.tokens[2, 2:].sum() == 0


# -- public models -------------------------------------------------------------------------------------------------------


def public(folder: Path, size: int) -> Path:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=size, n_positions=24, n_embd=32, n_layer=2, n_head=2, bos_token_id=256, eos_token_id=256
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_a_public_model_is_imported_generates_as_there_and_is_exported(gpt, tmp_path):
    run_cli("export", gpt, "--to", tmp_path / "ours")
    there, own = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval(), load(gpt)
    signal_from_spec = torch.tensor([own.tokenizer.encode("The cat sat")])
    assert (
        transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")("The cat sat")["input_ids"]
        == signal_from_spec[0].tolist()
    )
    with torch.no_grad():
        logits = own.signals["next-token"].logits(own.trunk, own.trunk(signal_from_spec).layers["tokens"])
        torch.testing.assert_close(there(signal_from_spec).logits, logits, atol=1e-4, rtol=0)
    there.save_pretrained(tmp_path / "theirs")
    own.tokenizer.save(tmp_path / "theirs")
    model = load(run_cli("import", tmp_path / "theirs", "--run", tmp_path / "run").run)
    said = there.generate(signal_from_spec, max_new_tokens=20, do_sample=False, pad_token_id=0)[0].tolist()
    told = "".join(part for (part,) in model.generate("The cat sat", 20, temperature=0))
    assert own.tokenizer.decode(said, specials=False).startswith("The cat sat" + told)
    assert len(told) > 20


def test_what_cannot_be_imported_is_told_in_a_sentence(gpt, tmp_path):
    assert_refused("import", tmp_path / "nothing", because="is no folder")
    for size, said in [
        (90, "it is the tokenizer of another model"),
        (500, "is pickled, and a pickle can hold code; with --convert"),
    ]:
        theirs = public(tmp_path / str(size), size)
        load(gpt).tokenizer.save(theirs)
        if size == 500:
            (theirs / "model.safetensors").rename(theirs / "pytorch_model.bin")
        assert_refused("import", theirs, because=said)


# -- bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"a\0b" * 900, "binary (it has NUL bytes)"), (b"one line", "tokens are too few")],
)
def test_texts_of_no_use_are_refused(content, said, tmp_path):
    (tmp_path / "a.txt").write_bytes(content)
    assert_refused("train", "gpt", "--data", tmp_path / "a.txt", "--vocabulary", "300", *QUICK, because=said)


def test_settings_out_of_range_are_refused(gpt):
    assert_refused("train", "gpt", "--width", "30", "--heads", "4", because="cannot be shared out among --heads 4")
    assert_refused("train", "gpt", "--data", "nowhere/", because="nowhere/ is not there")
    assert_refused("train", "gpt", "--context", "1", because="--context 1 is out of range")
    assert_refused("generate", gpt, "a", "--top-p", "0", because="--top-p 0 is out of range")
    assert_refused("generate", gpt, "a", "--temperature", "-1", because="--temperature")


def test_what_is_no_utf8_is_replaced_and_counted_or_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(story(1).encode() * 20 + b"\xff\xfe tail")
    words = ("--data", tmp_path / "a.txt", "--vocabulary", "300", "--steps", "3", *QUICK)
    assert "2 bytes that were not UTF-8 replaced" in run_cli("train", "gpt", *words).out
    assert_refused("train", "gpt", *words, "--strict", because="a.txt")


# -- search ---------------------------------------------------------------------------------------------------------------


def test_bm25_by_hand():
    index = ByWords(["apple apple pear", "pear plum", "plum plum plum plum"])
    rarity = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    long = 1.2 * (1 - 0.75 + 0.75 * 3 / 3)
    assert index.scores("apple unknown") == pytest.approx([rarity * 2 * 2.2 / (2 + long), 0, 0])


def test_words_count_as_a_share_of_what_a_passage_could_have():
    index = ByWords(["apple apple pear", "pear plum", "plum plum plum plum"])
    rarity, unheard = np.log(1 + 2.5 / 1.5), np.log(1 + 3.5 / 0.5)
    assert index.shares("apple") == pytest.approx([2 / (2 + 1.2), 0, 0])
    assert index.shares("apple unknown") == pytest.approx([2 * rarity / (2 + 1.2) / (rarity + unheard), 0, 0])
    assert index.shares("?") == pytest.approx([0, 0, 0])


def test_passages_are_whole_sentences_of_one_document():
    held = list(passages([(0, "One two. Three four five. Six."), (1, "word " * 25)], words=5))
    assert [passage.text for passage in held[:2]] == ["One two. Three four five.", "Six."]
    assert {passage.document for passage in held[2:]} == {1}
    assert sum(len(passage.text.split()) for passage in held[2:]) == 25


def test_documents_lose_the_words_of_their_headline_in_whatever_form():
    assert without("Bank cuts rates", "The banks have cut what they lend at.") == "The have cut what they lend at."
    assert without("Lenders again", "They lend, Again, and again.") == "They and"


def test_search_finds_by_words_and_by_features(gpt, folder, tmp_path):
    model = load(gpt)
    held = [Passage(i, f"The {name} sat on the {end}.") for i, (name, end) in enumerate(ANIMALS.items())]
    index = Index(model, held, encode(model, [passage.text for passage in held]))
    for by in ("meaning", "words", "both"):
        assert found(index, [passage.text for passage in held], by)["reciprocal rank"] == 1
    said = run_cli(
        "search",
        folder / "reviews.csv",
        "the goat, number 3",
        "--column",
        "review",
        "--model",
        gpt,
        "--by",
        "words",
        "--count",
        "3",
    ).out
    assert "reviews.csv, row" in said
    assert_refused(
        "search", folder / "reviews.csv", "goat", "--column", "review", "--by", "sound", because="--by sound is unknown"
    )
    assert_refused("search", tmp_path, "goat", because="has no text")


def test_documents_know_where_they_stand(folder):
    read = open_documents(str(folder / "reviews.csv"), "review")
    assert [read.name(number) for number, _ in read][:2] == ["reviews.csv, row 1", "reviews.csv, row 2"]
    read = open_documents(str(folder / "stories"))
    assert [read.name(number) for number, _ in read][3] == "03.txt"


def test_classes_of_further_texts_are_told(gpt, folder, tmp_path):
    words = ("--data", folder / "reviews.csv", "--text", "review", "--label", "mood", "--threads", "1")
    run = run_cli("train", "text-labels", "--from", gpt, *words, "--steps", "5").run
    (tmp_path / "one.txt").write_text("The cat sat on the mat again, number 3.")
    said = run_cli("predict", run, tmp_path / "one.txt", folder / "reviews.csv", "--csv", tmp_path / "told.csv")
    rows = list(csv.DictReader((tmp_path / "told.csv").open()))
    assert len(rows) == 121 and said.err == ""
    assert rows[0]["file"].endswith("one.txt") and rows[1]["file"].endswith("reviews.csv, row 1")
    assert {row["class"] for row in rows} <= {"round", "square"}
    assert_refused("predict", run, tmp_path / "none.txt", because="none.txt is not there")
