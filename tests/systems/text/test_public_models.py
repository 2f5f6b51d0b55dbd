"""Public models are imported, generate the same text, and are exported."""

from pathlib import Path

import torch
import transformers
from helpers.command_line import assert_refused, run_cli

from caudex import load


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
