"""Folders and names of the hub: what is read of them, and what is refused."""

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from helpers.pretrained import write_image_model
from huggingface_hub.errors import RepositoryNotFoundError
from safetensors.torch import load_file, save_file

from caudex.core.errors import CaudexError
from caudex.core.public_weights import files_sha256
from caudex.core.trust import UntrustedName
from caudex.trunks.pretrained import open_pretrained


@pytest.fixture
def folder(tmp_path) -> Path:
    write_image_model(tmp_path / "vit", "vit")
    return tmp_path / "vit"


def edit_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, 'is a model of type "bert"; a trunk can be vit, deit, '),
        ({"model_type": []}, r"is a model of type \[\]"),
        ({"num_channels": 1}, "num_channels is 1; caudex has images of 3 channels for it"),
        ({"auto_map": {"AutoModel": "code.Model"}}, 'auto_map is {"AutoModel":"code.Model"}; caudex does not compute'),
        ({"quantization_config": {"bits": 4}}, "quantization_config is"),
        ({"backbone": "resnet50"}, 'backbone is "resnet50"'),
        ({"hidden_size": "x"}, r'hidden_size is "x" \(expected `int`, got `str`\)'),
        ({"num_hidden_layers": 7}, "another network or version than config.json, a vit: .* is missing; fetch both again"),
        ({"num_hidden_layers": 2}, "has no place"),
        ({"intermediate_size": 32}, r"layers.0.mlp.fc1.bias is \(48,\) there and \(32,\) here"),
        ({"intermediate_size": 1 << 18, "hidden_size": 1 << 12}, "parameters, over 2,147,483,648"),
        ({"intermediate_size": 1 << 18}, r"describes 102,\d+,\d+ parameters, but \d+,\d+ bytes of weights cannot hold these"),
        ({"hidden_act": "kernels/x"}, "hidden_act is"),
    ],
)  # fmt: skip
def test_configs_that_do_not_fit_are_refused(changes, message, folder):
    edit_config(folder, **changes)
    with pytest.raises(CaudexError, match=message):
        open_pretrained(str(folder))


def test_weights_of_another_family_are_refused(folder):
    write_image_model(folder.parent / "mobilenet", "mobilenet_v2")
    shutil.copy(folder.parent / "mobilenet" / "model.safetensors", folder)
    with pytest.raises(CaudexError, match=r"another network or version than config.json, a vit"):
        open_pretrained(str(folder))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"holds no model\.safetensors: no weights, or"),
        ({"pytorch_model.bin": b"x"}, r"pytorch_model\.bin is not safetensors, and such a file can hold code"),
        ({"model.safetensors": b"x" * 10**6}, "cannot be read"),
        ({"model.safetensors": b"version https://git-lfs"}, "23 bytes of weights cannot hold these; they are cut off"),
        ({"model.safetensors.index.json": b'{"weight_map": {"a": "../outside.safetensors"}}'}, "is no file beside it"),
        ({"model.safetensors.index.json": b'{"weight_map": {"a": "/etc/passwd"}}'}, "is no file beside it"),
        ({"model.safetensors.index.json": b'{"weight_map": 7}'}, "weight_map|expected"),
    ],
)  # fmt: skip
def test_folders_without_weights_that_can_be_read_are_refused(files, message, folder):
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(CaudexError, match=message):
        open_pretrained(str(folder))


def test_links_adapters_and_names_of_strangers_are_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CaudexError, match=r"holds adapter_config\.json"):
        open_pretrained(str(folder))
    (folder / "adapter_config.json").unlink()
    with pytest.raises(
        CaudexError, match=r"was not made by you on this machine, .* and would take the pretrained weights"
    ):
        open_pretrained(UntrustedName(str(folder), "run"))
    (folder / "config.json").rename(folder.parent / "config.json")
    with pytest.raises(CaudexError, match=r"holds no config\.json"):
        open_pretrained(str(folder))
    (folder / "config.json").symlink_to(folder.parent / "config.json")
    with pytest.raises(CaudexError, match="is a link, which is not followed"):
        open_pretrained(str(folder))


def test_shards_are_one_network_and_one_sha256(folder):
    whole = open_pretrained(str(folder))
    assert whole.sha256 == files_sha256([folder / "model.safetensors"])
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for number, part in enumerate((names[:9], names[9:]), 1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    sharded = open_pretrained(str(folder))
    assert sharded.sha256 != whole.sha256
    assert all(torch.equal(a, b) for a, b in zip(sharded.trunk.parameters(), whole.trunk.parameters(), strict=True))


def test_half_precision_is_read_as_float32(folder):
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    edit_config(folder, dtype="float16")
    assert {parameter.dtype for parameter in open_pretrained(str(folder)).trunk.parameters()} == {torch.float32}


def test_a_name_is_taken_from_the_hubs_cache_without_a_network(tmp_path, monkeypatch):
    place = tmp_path / "models--someone--tiny-vit"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("a" * 40)
    write_image_model(place / "blobs", "vit")
    snapshot = place / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in (place / "blobs").iterdir():  # the hub's cache links them
        (snapshot / file.name).symlink_to(Path("..", "..", "blobs", file.name))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert open_pretrained("hf:someone/tiny-vit").config["model_type"] == "vit"
    with pytest.raises(CaudexError, match=r"cannot be fetched .*`hf download someone/other --local-dir FOLDER`"):
        open_pretrained("hf:someone/other")
    with pytest.raises(CaudexError, match=r"this machine's cache. Did you mean facebook/dinov2-small\? Where there is"):
        open_pretrained("hf:facebook/dinov2-smal")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:facebook/dinov2-smal", r"is not on the hub, .* Did you mean facebook/dinov2-small\?"),
        ("hf:qqqqqq", "These fit: microsoft/resnet-18,"),
        (
            "facebook/dinov2-smal",
            r"there is no folder facebook/dinov2-smal; .* Did you mean hf:facebook/dinov2-small\?",
        ),
    ],
)
def test_names_that_do_not_exist_suggest_the_nearest(name, message, monkeypatch):
    def not_there(*_, **__):
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)  # its constructor wants the answer of a server

    monkeypatch.setattr(huggingface_hub, "snapshot_download", not_there)
    with pytest.raises(CaudexError, match=message):
        open_pretrained(name)


def test_a_name_that_the_hub_cannot_have_is_refused():
    with pytest.raises(CaudexError, match="is not on the hub"):
        open_pretrained("hf:a/b/c ..")
