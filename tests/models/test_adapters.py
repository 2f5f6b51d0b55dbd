"""Adapters of ours are the same function in peft, and peft's are the same function here."""

import json

import peft
import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from helpers.public_models import write_public_folder
from safetensors.torch import load_file, save_file

from caudex.core.errors import CaudexError
from caudex.core.system import load
from caudex.models.adapters import adapter_places, merge_adapter, read_adapter, write_adapter
from caudex.models.hf_export import model_type_of
from caudex.models.importing import load_hf_model
from caudex.trunks import LowRankTrunk

KINDS = ["gpt2", "llama", "qwen2", "qwen3"]
TOKENS = torch.tensor([[3, 8, 1, 40, 7], [9, 9, 2, 1, 0]])


@torch.no_grad()
def logits(model, trunk=None):
    trunk = trunk or model.trunk
    return model.signals["next-token"].logits(trunk, trunk(TOKENS).layers["tokens"])


def train_adapters(trunk):
    """Some numbers in the place of what a training would have found."""
    torch.manual_seed(1)
    with torch.no_grad():
        for adapter in trunk.adapters:
            adapter.b += 0.3 * torch.randn_like(adapter.b)


def peft_model(folder, kind, **settings):
    base = write_public_folder(folder, kind)
    targets = {"gpt2": ["attn.c_attn", "mlp.c_proj"]}.get(kind, ["q_proj", "v_proj", "down_proj"])
    settings = {"r": 3, "lora_alpha": 5, "target_modules": targets, "task_type": "CAUSAL_LM", **settings}
    torch.manual_seed(2)
    adapted = peft.get_peft_model(base, peft.LoraConfig(**settings)).eval()
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight += 0.3 * torch.randn_like(weight)
    return adapted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mlp", [False, True])
def test_adapters_trained_here_give_the_same_logits_in_peft(kind, mlp, tmp_path):
    base, model = write_public_folder(tmp_path, kind), load_hf_model(tmp_path).model
    before = logits(model)
    trunk = LowRankTrunk(model.trunk, adapter_places(model, mlp), 4, 6.0)
    assert torch.equal(logits(model, trunk), before)
    train_adapters(trunk)
    adapted = logits(model, trunk)
    assert (adapted - before).abs().max() > 0.1
    (tmp_path / "adapter").mkdir()
    for name, content in write_adapter(trunk, model_type_of(model.trunk_config), 4, 6.0).items():
        (tmp_path / "adapter" / name).write_bytes(content)
    with torch.no_grad():
        published = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()(TOKENS).logits
    torch.testing.assert_close(published, adapted, atol=1e-4, rtol=0)
    torch.testing.assert_close(logits(model, trunk.merge()), adapted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"target_modules": "all-linear"}], ids=str)
def test_adapters_of_peft_give_the_same_logits_here(kind, settings, tmp_path):
    adapted = peft_model(tmp_path, kind, **settings)
    adapted.save_pretrained(tmp_path / "adapter")
    model = load_hf_model(tmp_path).model
    merge_adapter(model, read_adapter(tmp_path / "adapter"), tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(logits(model), adapted(TOKENS).logits, atol=1e-4, rtol=0)


def test_a_run_takes_an_adapter_in_and_gives_it_back(tmp_path):
    adapted = peft_model(tmp_path / "public", "llama")
    adapted.save_pretrained(tmp_path / "adapter")
    run_cli("import", tmp_path / "public", "--run", tmp_path / "base")
    out = run_cli("import", tmp_path / "adapter", "--from", tmp_path / "base", "--run", tmp_path / "run").out
    assert "6 maps of" in out
    with torch.no_grad():
        torch.testing.assert_close(logits(load(tmp_path / "run")), adapted(TOKENS).logits, atol=1e-4, rtol=0)
    run_cli("export", tmp_path / "run", "--adapter", tmp_path / "again")
    for first, second in zip(*(read_adapter(tmp_path / name).matrices.values() for name in ("adapter", "again"))):
        assert all(map(torch.equal, first, second))
    assert_refused("export", tmp_path / "base", "--adapter", tmp_path / "x", because="has no adapter")
    assert_refused("export", tmp_path / "run", "--adapter", tmp_path / "again", because="holds an adapter already")
    assert_refused("import", tmp_path / "adapter", because="add --from RUN")
    assert_refused("import", tmp_path / "public", "--from", tmp_path / "base", because="is for adapters alone")


@pytest.fixture
def adapter_folder(tmp_path):
    peft_model(tmp_path, "llama").save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("use_dora", True, '"use_dora" is true; caudex does not compute that'),
        ("modules_to_save", ["lm_head"], '"modules_to_save" is ["lm_head"]'),
        ("rank_pattern", {"q_proj": 8}, '"rank_pattern" is'),
        ("bias", "all", "bias is"),
        ("peft_type", "LOHA", "peft_type is"),
        ("task_type", "SEQ_CLS", "task_type is"),
        ("init_lora_weights", "pissa", "init_lora_weights is"),
        ("r", 0, "r is 0"),
        ("r", 9, "a matrix of rank 9 is needed"),
        ("lora_alpha", float("1e9"), "lora_alpha is"),
        ("brand_new", 1, '"brand_new" is 1'),
    ],
)
def test_a_field_that_changes_the_function_is_refused_by_name(field, value, message, adapter_folder):
    file = adapter_folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(CaudexError) as error:
        read_adapter(adapter_folder)
    assert message in str(error.value)


def test_tensors_that_are_no_adapter_are_refused(adapter_folder):
    file = adapter_folder / "adapter_model.safetensors"
    tensors = load_file(file)
    first = min(tensors)
    for changed, message in [
        ({"base_model.model.model.norm.weight": torch.ones(3)}, "no part of a LoRA adapter"),
        ({first: tensors[first] * torch.nan}, "not finite"),
        ({first: tensors[first].int()}, "a matrix of rank 3 is needed"),
        ({"base_model.model.x.lora_A.weight": torch.ones(3, 2)}, "one matrix alone"),
    ]:
        save_file({**tensors, **changed}, file)
        with pytest.raises(CaudexError, match=message):
            read_adapter(adapter_folder)
    save_file({}, file)
    with pytest.raises(CaudexError, match="holds no adapter"):
        read_adapter(adapter_folder)


def test_the_adapter_of_another_model_is_refused_and_changes_nothing(adapter_folder, tmp_path):
    adapter = read_adapter(adapter_folder)
    for kind, settings, message in [
        ("gpt2", {}, "which this gpt2 does not have"),
        ("llama", {"num_hidden_layers": 1}, "which this llama does not have"),
        ("llama", {"intermediate_size": 44}, "changes a map of 40 to 32 numbers"),
    ]:
        write_public_folder(tmp_path / "other", kind, **settings)
        model = load_hf_model(tmp_path / "other").model
        before = logits(model)
        with pytest.raises(CaudexError) as error:
            merge_adapter(model, adapter, adapter_folder)
        assert message in str(error.value) and "adapter of another model" in str(error.value)
        assert torch.equal(logits(model), before)
