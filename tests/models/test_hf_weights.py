"""Weights of public folders: which files are read, and that nothing in them runs."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from caudex.core.errors import CaudexError
from caudex.models.hf_weights import read_hf_weights

ONES = {"a": torch.ones(3)}


def test_pickled_damaged_and_missing_files_are_refused(tmp_path):
    with pytest.raises(CaudexError, match=r"holds no model\.safetensors"):
        read_hf_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(CaudexError, match="is pickled, and a pickle can hold code; with --convert"):
        read_hf_weights(tmp_path)
    with pytest.raises(CaudexError, match="is damaged, or holds more than tensors"):
        read_hf_weights(tmp_path, convert=True)
    (tmp_path / "model.safetensors").write_bytes(b"xxxxxxxxxxxx")
    with pytest.raises(CaudexError, match="is damaged"):
        read_hf_weights(tmp_path)


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def test_pickled_weights_are_converted_on_request_and_run_nothing(tmp_path):
    weights = {"embeddings.LayerNorm.gamma": torch.ones(3), "embeddings.LayerNorm.beta": torch.zeros(3)}
    torch.save(weights, tmp_path / "pytorch_model.bin")
    assert set(read_hf_weights(tmp_path, convert=True)) == {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"}
    torch.save(weights | {"trap": Trap()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CaudexError, match="holds more than tensors"):
        read_hf_weights(tmp_path, convert=True)
    assert not (tmp_path / "trapped").exists()


def test_a_pickled_tensor_that_is_larger_than_its_file_is_refused(tmp_path):
    torch.save({"a": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CaudexError, match='the tensor "a" is larger than what is stored of it'):
        read_hf_weights(tmp_path, convert=True)


def test_other_weights_in_the_folder_do_not_count(tmp_path):
    save_file(ONES, tmp_path / "model.safetensors")
    save_file({"a": torch.zeros(3)}, tmp_path / "model.fp16.safetensors")
    assert read_hf_weights(tmp_path)["a"].tolist() == [1, 1, 1]


def test_the_parts_that_the_index_names_are_read(tmp_path):
    for number, name in enumerate("ab", 1):
        save_file({name: torch.ones(number)}, tmp_path / f"model-{number}-of-2.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert set(read_hf_weights(tmp_path)) == {"a", "b"}
    for name in ("../x", "nothing.safetensors"):
        index["weight_map"]["b"] = name
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(CaudexError, match="which is no file beside it"):
            read_hf_weights(tmp_path)
    assert set(load_file(tmp_path / "model-1-of-2.safetensors")) == {"a"}
