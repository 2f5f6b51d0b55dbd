"""gpt learns a tiny language, goes on with it, and resumes exactly; bad input."""

import json
import shutil
import subprocess
import sys
import time

import pytest
import torch
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.stories import ANIMALS, QUICK, story

from caudex.core.system import load
from caudex.systems.text.gpt import GPT

# -- the next token ------------------------------------------------------------------------------------------------


def test_it_learns_the_language_and_goes_on_with_it(gpt_run):
    results = json.loads((gpt_run / "results.json").read_text())
    assert results["model"]["nats a token"] < 0.35 * results["frequencies"]["nats a token"]
    continuations = {
        name: run_cli("generate", gpt_run, f"The {name} sat on", "--temperature", "0", "--max-tokens", "12").out
        for name in ANIMALS
    }
    assert sum(continuations[name].startswith(f"The {name} sat on the {end}.") for name, end in ANIMALS.items()) >= 5, (
        continuations
    )
    report = (gpt_run / "report.html").read_text()
    assert "Samples, as they came" in report
    assert (gpt_run / "samples.txt").read_text().count("|") == 4


def test_the_same_seed_says_the_same_and_several_texts_differ(gpt_run):
    words = ("generate", gpt_run, "The", "--max-tokens", "40", "--temperature", "1.5", "--top-p", "1")
    assert run_cli(*words, "--seed", "3").out == run_cli(*words, "--seed", "3").out
    assert run_cli(*words, "--seed", "3").out != run_cli(*words, "--seed", "4").out
    texts = run_cli(*words, "--num", "3").out.split("--- ")[1:]
    assert len(texts) == len(set(texts)) == 3


def test_a_kv_cache_changes_no_word_and_drops_what_no_longer_fits(gpt_run):
    model = load(gpt_run)
    start = model.tokenizer.encode("The cat sat on the")
    generated = "".join(part for (part,) in model.generate("The cat sat on the", 15, temperature=0))
    text = list(start)
    with torch.no_grad():
        for _ in range(15):
            layers = model.trunk(torch.tensor([text])).layers["tokens"][:, -1]
            text.append(
                model.signals["next-token"].logits(model.trunk, layers)[:, : model.tokenizer.vocab_size].argmax().item()
            )
    assert model.tokenizer.decode(text, skip_special_tokens=True) == "The cat sat on the" + generated
    long = run_cli("generate", gpt_run, "The cat sat on", "--temperature", "0", "--max-tokens", "80")
    assert long.out.count("sat") > 6
    much = invoke("generate", gpt_run, story(0), "--max-tokens", "3")
    assert (much.code, "the model sees 40: it goes on from the last 40" in much.err) == (0, True)


def test_a_stop_string_ends_the_text_and_beams_find_the_likelier_one(gpt_run):
    words = ("generate", gpt_run, "The cat sat on", "--max-tokens", "12")
    whole = run_cli(*words, "--temperature", "0").out
    assert (
        run_cli(*words, "--temperature", "0", "--stop", "!", "--stop", " mat").out
        == whole[: whole.index(" mat")] + "\n"
    )
    assert run_cli(*words, "--top-k", "1").out == whole
    texts = run_cli(*words, "--beams", "3", "--num", "2").out.split("--- ")[1:]
    assert texts[0].startswith("1\nThe cat sat on") and texts[0][2:] != texts[1][2:]


def test_the_score_of_a_beam_is_the_likelihood_of_its_tokens(gpt_run):
    model = load(gpt_run)
    start = model.prompt_ids("The cat sat")
    texts = model.search(start, 6, beams=4)
    assert len(texts) == 4 and sorted(texts, key=lambda text: -text[1]) == texts
    for text, score in texts:
        ids = model.tokenizer.encode("The cat sat" + text, parse_special=False)
        with torch.no_grad():
            logs = model.trunk(torch.tensor([ids])).layers["tokens"][0]
            logs = model.signals["next-token"].logits(model.trunk, logs).log_softmax(-1)
        each = [logs[i, token].item() for i, token in enumerate(ids[1:])][len(start) - 1 :]
        if len(each) == 6:  # cut into tokens as it was generated
            assert score == pytest.approx(sum(each) / 6, abs=1e-4)
    (greedy,) = model.search("The cat sat", 6, beams=1)
    assert greedy[0] == "".join(part for (part,) in model.generate("The cat sat", 6, temperature=0))
    # what does not fit with its continuation is cut to the end of the prompt
    assert len(model.search(story(0), 30, beams=2)) == 2


def test_a_chat_prints_the_answer_alone(gpt_run, tmp_path):
    assert_refused("generate", gpt_run, "Hello", "--chat", because="this model brings no chat template")
    shutil.copytree(gpt_run, tmp_path / "chat")
    spec = json.loads((tmp_path / "chat/spec.json").read_text())
    spec["chat_template"] = "{% for m in messages %}The {{ m.content }} sat on the{% endfor %}"
    (tmp_path / "chat/spec.json").write_text(json.dumps(spec))
    words = ("--temperature", "0", "--max-tokens", "12")
    whole = run_cli("generate", gpt_run, "The cat sat on the", *words).out
    assert "The cat sat on the" + run_cli("generate", tmp_path / "chat", "cat", "--chat", *words).out == whole


def test_an_empty_prompt_loses_no_character(gpt_run):
    model = load(gpt_run)
    tokens = [token for (token,) in model.generate_tokens([model.tokenizer.eos_token_id], 10, temperature=0)]
    text = "".join(part for (part,) in model.generate("", 10, temperature=0))
    assert text == model.tokenizer.decode(tokens, skip_special_tokens=True).rstrip("\ufffd")


def test_likelihoods_are_sums_of_each_tokens_own(gpt_run):
    model = load(gpt_run)
    pairs = [("The cat", " sat on the mat."), ("", "The dog sat"), ("The fox sat on the", " box")]
    likelihoods, counts = model.log_likelihoods(pairs)
    for (given_, behind), likelihood, count in zip(pairs, likelihoods, counts):
        before, full_tokens = (
            [model.tokenizer.eos_token_id, *model.tokenizer.encode(text)] for text in (given_, given_ + behind)
        )
        with torch.no_grad():
            layers = model.trunk(torch.tensor([full_tokens[:-1]])).layers["tokens"][0]
            logs = model.signals["next-token"].logits(model.trunk, layers).log_softmax(-1)
        each = [logs[i, token].item() for i, token in enumerate(full_tokens[1:])]
        assert count == len(full_tokens) - len(before)
        assert likelihood.item() == pytest.approx(sum(each[len(before) - 1 :]), abs=1e-4)


def test_the_seed_of_a_killed_training_gives_the_same_weights(gpt_run, stories_folder, tmp_path):
    words = ["--data", stories_folder / "stories", "--vocab-size", 400, "--steps", 500, "--lr", 0.005, *QUICK]
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
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (gpt_run / "model.safetensors").read_bytes()
    rows = [(run / "stages" / "pretraining" / "metrics.jsonl").read_text() for run in (gpt_run, tmp_path / "again")]
    assert rows[0] == rows[1]


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"a\0b" * 900, "binary (it has NUL bytes)"), (b"one line", "tokens are too few")],
)
def test_texts_of_no_use_are_refused(content, message, tmp_path):
    (tmp_path / "a.txt").write_bytes(content)
    assert_refused("train", "gpt", "--data", tmp_path / "a.txt", "--vocab-size", "300", *QUICK, because=message)


def test_settings_out_of_range_are_refused(gpt_run):
    assert_refused("train", "gpt", "--width", "30", "--heads", "4", because="cannot be shared out among --heads 4")
    assert_refused("train", "gpt", "--data", "nowhere/", because="nowhere/ is not there")
    assert_refused("train", "gpt", "--context", "1", because="--context 1 is out of range")
    assert_refused("generate", gpt_run, "a", "--top-p", "0", because="--top-p 0 is out of range")
    assert_refused("generate", gpt_run, "a", "--temperature", "-1", because="--temperature")
    assert_refused("generate", gpt_run, "a", "--stop", "", because="--stop is empty")
    assert_refused("generate", gpt_run, "a", "--beams", "4", "--top-k", "5", because="so --top-k has no meaning")
    assert_refused("generate", gpt_run, "a", "--beams", "2", "--num", "3", because="--num 3 is more than --beams 2")


def test_what_is_no_utf8_is_replaced_and_counted_or_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(story(1).encode() * 20 + b"\xff\xfe tail")
    words = ("--data", tmp_path / "a.txt", "--vocab-size", "300", "--steps", "3", *QUICK)
    assert "2 bytes replaced, not UTF-8" in run_cli("train", "gpt", *words).out
    assert_refused("train", "gpt", *words, "--strict", because="a.txt")


@pytest.mark.parametrize(
    "loss, words",
    [
        (6.31, "it is worse than a predictor that knows how often each token comes (6.31 against 6.20 nats a token, 3.0% against 5.0%"),
        (6.21, "it is worse than"),
        (6.19, "it has hardly learned more than how often each token comes (6.19 against 6.20"),
        (6.10, ""),
    ],
)  # fmt: skip
def test_a_model_that_is_worse_than_the_frequencies_is_called_worse(loss, words):
    results = {
        "model": {"nats a token": loss, "accuracy": 0.03},
        "frequencies": {"nats a token": 6.2, "accuracy": 0.05},
    }
    assert "".join(GPT().warn(results)).startswith(words) and bool(GPT().warn(results)) == bool(words)
