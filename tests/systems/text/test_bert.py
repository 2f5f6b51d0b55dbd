"""bert fills in what it learned."""

import json

import pytest
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.stories import ANIMALS, QUICK, story

from caudex.core.system import load


@pytest.fixture(scope="module")
def bert_run(stories_folder):
    words = (
        "--data",
        stories_folder / "stories",
        "--vocab-size",
        "120",
        "--steps",
        "1400",
        "--lr",
        "0.002",
        *QUICK,
        "--width",
        "64",
    )
    run_cli("train", "bert", *words, "--run", stories_folder / "bert")
    return stories_folder / "bert"


def test_bert_fills_in_what_it_learned_and_only_that(bert_run, gpt_run):
    model = load(bert_run)
    filled_in = {name: model.fill_mask(f"The {name} sat on the [MASK].")[0][0][0] for name in ANIMALS}
    assert sum(filled_in[name] == end for name, end in ANIMALS.items()) >= 5, filled_in
    assert "mat" in run_cli("fill", bert_run, "The cat sat on the [MASK].").out
    printed = run_cli("fill", bert_run, "The cat sat on the mat.", "--then", "The dog sat on the log.").out
    random = json.loads((bert_run / "results.json").read_text())["random next"]
    assert printed.endswith(f"; one who has not read them would say {1 - random:.1%}\n") and printed.count("\n") == 1
    assert_refused("fill", bert_run, "The cat sat.", because="hides nothing; put [MASK] where a word is to be told")
    assert_refused("fill", gpt_run, "The [MASK] sat.", because="this model cannot fill in: it learned next-token")
    assert_refused(
        "generate", bert_run, "The", because="this model cannot generate: it learned masked-token, next-sentence"
    )
    results = json.loads((bert_run / "results.json").read_text())
    assert results["masked-token loss"] < 0.4 * results["unigram"]


def test_one_document_is_enough_without_pairs(stories_folder, tmp_path):
    (tmp_path / "one.txt").write_text("\n".join(story(number) for number in range(20)))
    words = ("--data", tmp_path / "one.txt", "--vocab-size", "120", "--steps", "20", *QUICK)
    output = invoke("train", "bert", *words)
    assert (output.code, "next-sentence pairs need two documents" in output.err) == (2, True)
    run = run_cli("train", "bert", *words, "--no-next-sentence", "--whole-words").run
    assert list(load(run).signals) == ["masked-token"]
