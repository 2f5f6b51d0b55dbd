"""Public models are imported, generate the same text, and are exported."""

from pathlib import Path

import torch
import transformers
from helpers.command_line import assert_refused, run_cli

from caudex.core.system import load


def write_public_model(stories_folder: Path, size: int) -> Path:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=size, n_positions=24, n_embd=32, n_layer=2, n_head=2, bos_token_id=256, eos_token_id=256
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(stories_folder)
    return stories_folder


def test_a_public_model_is_imported_generates_as_there_and_is_exported(gpt_run, tmp_path):
    run_cli("export", gpt_run, "--to", tmp_path / "ours")
    published, model_ = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval(), load(gpt_run)
    prompt = torch.tensor([model_.tokenizer.encode("The cat sat")])
    assert (
        transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")("The cat sat")["input_ids"] == prompt[0].tolist()
    )
    with torch.no_grad():
        logits = model_.signals["next-token"].logits(model_.trunk, model_.trunk(prompt).layers["tokens"])
        torch.testing.assert_close(published(prompt).logits, logits, atol=1e-4, rtol=0)
    published.save_pretrained(tmp_path / "theirs")
    model_.tokenizer.save(tmp_path / "theirs")
    model = load(run_cli("import", tmp_path / "theirs", "--run", tmp_path / "run").run)
    expected = published.generate(prompt, max_new_tokens=20, do_sample=False, pad_token_id=0)[0].tolist()
    generated = "".join(part for (part,) in model.generate("The cat sat", 20, temperature=0))
    assert model_.tokenizer.decode(expected, skip_special_tokens=True).startswith("The cat sat" + generated)
    assert len(generated) > 20


def test_what_cannot_be_imported_is_refused_in_a_sentence(gpt_run, tmp_path):
    assert_refused("import", tmp_path / "nothing", because="is neither a folder nor a file")
    for size, message in [
        (90, "it is the tokenizer of another model"),
        (500, "is pickled, and a pickle can hold code; with --convert"),
    ]:
        theirs = write_public_model(tmp_path / str(size), size)
        load(gpt_run).tokenizer.save(theirs)
        if size == 500:
            (theirs / "model.safetensors").rename(theirs / "pytorch_model.bin")
        assert_refused("import", theirs, because=message)
