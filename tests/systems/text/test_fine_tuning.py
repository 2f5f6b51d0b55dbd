"""A model that has read before goes on with other texts: whole, or by low-rank adapters."""

import json
import random
import shutil

import peft
import pytest
import torch
import transformers
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.interruption import Killed
from helpers.public_models import write_public_folder
from safetensors.torch import load_file

from caudex.core.system import load
from caudex.systems.text.gpt import GPT

ENDINGS = {"cat": "box", "dog": "mat", "hen": "log"}


@pytest.fixture(scope="module")
def other_texts(tmp_path_factory):
    """The language of the stories with other facts."""
    folder = tmp_path_factory.mktemp("other")
    for number in range(12):
        draw = random.Random(number)
        names = [draw.choice(list(ENDINGS)) for _ in range(60)]
        (folder / f"{number}.txt").write_text(" ".join(f"The {name} sat on the {ENDINGS[name]}." for name in names))
    return folder


@pytest.fixture(scope="module", params=[(), ("--lora", "4", "--lora-mlp")], ids=["whole", "lora"])
def tuned_run(request, gpt_run, other_texts, tmp_path_factory):
    run = tmp_path_factory.mktemp("tuned") / "run"
    words = ("--from", gpt_run, "--data", other_texts, "--steps", "90", "--fine-tuning-lr", "0.01", "--batch", "8")
    run_cli("train", "gpt", *words, *request.param, "--context", "24", "--threads", "1", "--run", run)
    return run


def test_held_out_text_becomes_likelier_and_the_results_show_before_and_after(tuned_run, gpt_run):
    results = json.loads((tuned_run / "results.json").read_text())
    assert results["model"]["perplexity"] < 0.5 * results["before"]["perplexity"]
    assert results["gain"]["verdict"] == "better" and results["gain"]["low"] > 0
    size = json.loads((gpt_run / "results.json").read_text())["parameters"]
    is_whole = not (tuned_run / "adapter").exists()
    assert results["parameters"] == size
    assert results["learning parameters"] == size if is_whole else results["learning parameters"] < size / 2
    for sample in results["samples"]:
        assert sample["before"] != sample["after"]
        assert f"after: {sample['prompt']}|{sample['after']}" in (tuned_run / "samples.txt").read_text()
    assert "before" in (tuned_run / "report.html").read_text()
    words = ("The cat sat on", "--temperature", "0", "--stop", ".")
    assert run_cli("generate", gpt_run, *words).out == "The cat sat on the mat\n"
    assert run_cli("generate", tuned_run, *words).out == "The cat sat on the box\n"


def test_the_run_has_the_sizes_and_tokens_of_the_first_and_needs_it_no_more(tuned_run, gpt_run):
    first, second = load(gpt_run), load(tuned_run)
    assert second.trunk_config == first.trunk_config
    assert second.tokenizer.fingerprint == first.tokenizer.fingerprint
    settings = json.loads((tuned_run / "settings.json").read_text())["settings"]
    assert (settings["width"], settings["context"]) == (first.trunk.width, 24)
    changed = [
        name for name, weight in first.state_dict().items() if not torch.equal(weight, second.state_dict()[name])
    ]
    if (tuned_run / "adapter").exists():
        assert changed and all("proj" in name and name.endswith("weight") for name in changed)
        (checkpoint,) = (tuned_run / "stages/pretraining/checkpoints").iterdir()
        assert all(name.startswith("trunk.adapters.") for name in load_file(checkpoint / "weights.safetensors"))
    else:
        assert len(changed) == len(first.state_dict())


@pytest.mark.parametrize("lora", [(), ("--lora", "2")], ids=["whole", "lora"])
def test_a_training_that_was_killed_goes_on_to_the_same_weights(lora, gpt_run, other_texts, tmp_path, monkeypatch):
    words = ["--from", gpt_run, "--data", other_texts, "--steps", "20", "--batch", "4", "--context", "16", *lora]
    run_cli("train", "gpt", *words, "--run", tmp_path / "whole")
    original, calls = GPT.quick_metrics, []

    def quick_metrics(self, learner, texts):
        calls.append(1)
        if len(calls) == 6:
            raise Killed
        return original(self, learner, texts)

    monkeypatch.setattr(GPT, "quick_metrics", quick_metrics)
    with pytest.raises(Killed):
        run_cli("train", "gpt", *words, "--save-seconds", "0", "--run", tmp_path / "again")
    before = json.loads((tmp_path / "again/before.json").read_text())
    (tmp_path / "again/before.json").write_text(json.dumps(before | {"start": "0" * 64}))
    refused = invoke("resume", tmp_path / "again")
    assert refused.code == 2 and "was changed since this training began with it" in refused.err
    (tmp_path / "again/before.json").write_text(json.dumps(before))
    run_cli("resume", tmp_path / "again")
    for name in ("model.safetensors", "results.json", "samples.txt", "stages/pretraining/metrics.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


@torch.no_grad()
def test_an_imported_llama_is_tuned_and_its_adapter_opens_in_peft(other_texts, tmp_path):
    base = write_public_folder(tmp_path / "public", "llama", tie_word_embeddings=False)
    run_cli("import", tmp_path / "public", "--run", tmp_path / "base")
    words = ("--from", tmp_path / "base", "--data", other_texts, "--steps", "12", "--batch", "4", "--context", "16")
    with torch.enable_grad():
        out = run_cli("train", "gpt", *words, "--lora", "4", "--fine-tuning-lr", "0.05", "--run", tmp_path / "run").out
    assert "1,792 of the" in out  # 2 blocks: q and o are 4 (32 + 32), k and v are 4 (32 + 16)
    model, tokens = load(tmp_path / "run"), torch.tensor([[3, 8, 1, 40, 7]])
    run_cli("export", tmp_path / "run", "--adapter", tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    logits = model.signals["next-token"].logits(model.trunk, model.trunk(tokens).layers["tokens"])
    assert (base(tokens).logits - logits).abs().max() > 0.01
    published = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "public")
    published = peft.PeftModel.from_pretrained(published, tmp_path / "adapter").eval()
    torch.testing.assert_close(published(tokens).logits, logits, atol=1e-4, rtol=0)


# -- bad input -----------------------------------------------------------------------------------------------------


def test_settings_that_contradict_the_run_are_refused(gpt_run, other_texts, tmp_path):
    words = ("train", "gpt", "--from", gpt_run, "--data", other_texts)
    width = load(gpt_run).trunk.width
    assert_refused(*words, "--width", "48", because=f"--width 48: {gpt_run} has {width}; leave it out")
    assert_refused(*words, "--vocab-size", "999", because="--vocab-size 999")
    assert_refused(*words, "--tokenizer", "characters", because="brings its own; leave it out")
    assert_refused(*words, "--context", "41", because="sees 40 tokens at once")
    assert_refused(*words, "--lora", "0", because="--lora 0 is out of range; it must be at least 1")
    assert_refused(*words, "--lora", str(width + 1), because=f"it must be between 1 and {width}")
    GPT(start="wide", lora=200).check()  # the width of the run counts, not the default
    assert_refused("train", "gpt", "--lora", "4", because="--lora needs a model to begin with")
    assert_refused(*words, "--lora-mlp", because="add --lora RANK")
    assert_refused("claim", "gpt", "--from", gpt_run, "--data", other_texts, "--seeds", "1", because="leave --from out")
    (tmp_path / "short.txt").write_text("The cat sat.")
    assert_refused("train", "gpt", "--from", gpt_run, "--data", tmp_path, because="tokens are too few")


def test_a_run_that_goes_on_with_no_text_is_refused(gpt_run, other_texts, tmp_path):
    write_public_folder(tmp_path / "public", "bert")
    run_cli("import", tmp_path / "public", "--run", tmp_path / "bert")
    words = ("--data", other_texts, "--steps", "2")
    assert_refused(
        "train", "gpt", "--from", tmp_path / "bert", *words, because="holds no model that goes on with a text"
    )
    assert_refused("train", "gpt", "--from", tmp_path / "nothing", *words, because="is not a run folder")
    stranger = tmp_path / "stranger"
    run_cli("train", "gpt", "--from", gpt_run, *words, *("--batch", "4"), "--run", stranger)
    (stranger / "signature.json").unlink()
    shutil.rmtree(stranger / "stages")
    (stranger / "finished.json").unlink()
    assert load(gpt_run)
    refused = invoke("resume", stranger)
    assert refused.code == 1 and f"--start {gpt_run}" in refused.out
