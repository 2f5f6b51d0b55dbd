"""Whatever a public folder holds, it is imported or refused in a sentence, soon."""

import json
import os
import shutil
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from helpers.command_line import assert_refused
from helpers.gguf_files import write_gguf
from helpers.mutations import mutated
from helpers.public_models import TEXT, tiny_llama, tiny_tokenizer, write_public_folder
from helpers.public_relatives import RELATIVES, write_relative
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from safetensors.torch import load_file, save_file

from caudex import data
from caudex.core.errors import CaudexError
from caudex.models import importing
from caudex.models.importing import load_hf_model, load_public_model

FORMS = ("gpt2", "gpt2 of old", "bert", "bert of sentence-transformers", "llama", "qwen3", "roberta", "gpt_neo")


@cache
def public_files(form: str) -> dict[str, bytes]:
    """The files of a folder as transformers, GPT-2's first release, and sentence-transformers write them."""
    folder, kind = Path(mkdtemp()), form.split()[0]
    (write_relative if kind in RELATIVES else write_public_folder)(folder, kind)
    tokens = sorted(tiny_tokenizer("wordpiece" if kind == "bert" else "bpe").vocab.items(), key=lambda pair: pair[1])
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    shutil.rmtree(folder)
    if form == "gpt2 of old":
        merges = json.loads(files.pop("tokenizer.json"))["model"]["merges"]
        files["vocab.json"] = json.dumps(dict(tokens)).encode()
        files["merges.txt"] = "\n".join(["#version: 0.2", *map(" ".join, merges)]).encode()
    if form == "bert of sentence-transformers":
        del files["tokenizer.json"]
        packaged = data.corpus_folder("minilm")
        names = ("modules.json", "tokenizer_config.json", "special_tokens_map.json", "sentence_bert_config.json")
        files |= {name: (packaged / name).read_bytes() for name in names}
        files["vocab.txt"] = "\n".join(token for token, _ in tokens).encode()
    return files


def assert_loads_or_is_refused(folder: Path, must_load: bool = False) -> None:
    start = time.process_time()
    try:
        model = load_hf_model(folder).model
        model.mean_features([TEXT, "漢字 \x00 <|endoftext|> [SEP]"])
        if model.trunk.causal:
            list(model.generate("The cat", 3))
    except CaudexError as error:
        message = str(error)
        assert not must_load, message
        assert message.endswith(".") and "\n" not in message and len(message) < 1000
    assert time.process_time() - start < 5


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(choice=some.data())
def test_a_changed_file_is_read_or_refused_in_a_sentence(form, choice, tmp_path):
    files = public_files(form)
    name = choice.draw(some.sampled_from(sorted(files)))
    folder = Path(mkdtemp(dir=tmp_path))
    for other, content in files.items():
        (folder / other).write_bytes(content)
    (folder / name).write_bytes(choice.draw(mutated(name, files[name])))
    assert_loads_or_is_refused(folder)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_gone_or_no_file_is_refused_in_a_sentence(form, tmp_path):
    for name in public_files(form):
        for number, kind in enumerate(("whole", "gone", "folder", "pipe", "link to itself", "link to an endless file")):
            folder = tmp_path / f"{name} {number}"
            folder.mkdir()
            for other, content in public_files(form).items():
                (folder / other).write_bytes(content)
            if kind != "whole":
                (folder / name).unlink()
            if kind == "folder":
                (folder / name).mkdir()
            if kind == "pipe":
                os.mkfifo(folder / name)
            if kind.startswith("link"):
                (folder / name).symlink_to(name if kind == "link to itself" else "/dev/zero")
            assert_loads_or_is_refused(folder, must_load=kind == "whole")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_embd": -16}, "n_embd is -16"),
        ({"n_layer": 10**9}, "n_layer is 1000000000"),
        ({"layer_norm_epsilon": float("nan")}, "is no JSON that can be read"),
        ({"scale_attn": 1}, '"scale_attn" is 1; caudex does not know this field'),
    ],
)
def test_the_command_refuses_in_a_line_and_leaves_no_run(change, message, tmp_path):
    for name, content in public_files("gpt2").items():
        (tmp_path / name).write_bytes(content)
    config = json.loads(public_files("gpt2")["config.json"])
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    assert_refused("import", tmp_path, because=message)


@pytest.mark.parametrize("form", ["folder", "gguf"])
def test_a_model_that_memory_does_not_hold_is_refused_before_its_weights_are_read(form, tmp_path, monkeypatch):
    source = tmp_path if form == "folder" else tmp_path / "x.gguf"
    if form == "folder":
        write_public_folder(tmp_path, "llama")
    else:
        write_gguf(source, tiny_llama(300))
    monkeypatch.setattr(importing, "available_memory", lambda: 1 << 18)
    monkeypatch.setattr(importing, "check_weights", None)  # reads them
    with pytest.raises(CaudexError, match=r"has 3\d,\d{3} weights, and 0\.0 GiB of memory to import them are not free"):
        load_public_model(source)


def test_layers_that_the_file_does_not_have_are_not_built(tmp_path):
    """What fixes the sizes is there, and most of the layers are not."""
    write_public_folder(tmp_path, "llama", hidden_size=256, intermediate_size=256)
    config, weights = json.loads((tmp_path / "config.json").read_text()), load_file(tmp_path / "model.safetensors")
    weights |= {name.replace(".1.", ".999."): tensor.clone() for name, tensor in weights.items() if ".1." in name}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1000}))
    with pytest.raises(CaudexError, match=r"weights, far fewer than the sizes in its configuration ask for"):
        load_public_model(tmp_path)
