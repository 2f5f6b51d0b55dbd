"""GGUF files: the weights are those that were written, whatever kind and type; what would be another function is refused."""

import resource
import struct
import time
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import gguf
import numpy as np
import pytest
import torch
from helpers.gguf_files import write_gguf
from helpers.mutations import mutated_bytes
from helpers.public_models import TEXT, tiny_llama, tiny_tokenizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.core.gguf_header import read_gguf_header
from caudex.data.text.tokenizer_files import parse_tokenizer
from caudex.models.gguf_file import LLAMA3_ROPE, read_gguf
from caudex.models.importing import load_public_model

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, **LLAMA3_ROPE, "rope_theta": 500_000.0}
SCALINGS = [
    {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 100.0},
    LLAMA3,
]


def random_settings(kind: str, seed: int) -> dict:
    random = Random(seed)
    heads = random.choice([1, 2, 4])
    settings = {
        "hidden_size": 8 * random.randint(1, 4), "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 2 * heads,
        "num_key_value_heads": random.choice([heads, 2 * heads]), "head_dim": random.choice([4, 10]),
        "intermediate_size": random.randint(8, 40), "rms_norm_eps": 10.0 ** -random.randint(2, 6),
        "tie_word_embeddings": random.random() < 0.5, "rope_parameters": {"rope_type": "default", "rope_theta": 10.0 ** random.randint(2, 6)},
    }  # fmt: skip
    own = {
        "llama": {"attention_bias": seed % 2 == 0, "mlp_bias": random.random() < 0.5},
        "mistral": {"sliding_window": random.choice([None, 16, 64])},
        "qwen2": {},
        "qwen3": {"attention_bias": random.random() < 0.5},
    }
    if kind == "qwen2":
        del settings["head_dim"]
        settings["hidden_size"] = 2 * heads * random.choice([4, 6])
    return settings | own[kind]


@torch.no_grad()
def assert_same_logits(file: Path, published) -> None:
    model = load_public_model(file).model
    tokens = torch.randint(0, published.config.vocab_size, (2, min(24, model.trunk.context)))
    logits = model.signals["next-token"].logits(model.trunk, model.trunk(tokens).layers["tokens"])
    torch.testing.assert_close(logits, published(tokens).logits, atol=1e-3, rtol=0)


PIECES = [
    "<unk>",
    "<s>",
    "</s>",
    *(f"<0x{byte:02X}>" for byte in range(256)),
    "▁",
    "a",
    "t",
    "at",
    "▁a",
    "ta",
    "c",
    "▁c",
    "▁cat",
]
SENTENCEPIECE = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.pre": "default",
    "tokenizer.ggml.tokens": PIECES,
    "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * 9],
    "tokenizer.ggml.scores": [0.0] * 259 + [-9.0, -8.0, -7.0, -1.0, -2.0, -3.0, -6.0, -4.0, -5.0],
    "tokenizer.ggml.merges": None,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
def test_random_models_have_the_weights_and_the_logits_of_transformers(kind, seed, tmp_path):
    published = tiny_llama(300, kind, **random_settings(kind, seed))
    write_gguf(tmp_path / "x.gguf", published)
    weights = read_gguf(tmp_path / "x.gguf").weights
    tied = {"lm_head.weight"} if published.config.tie_word_embeddings else set()
    assert set(weights) == set(published.state_dict()) - tied
    assert all(torch.equal(tensor, published.state_dict()[name]) for name, tensor in weights.items())
    assert_same_logits(tmp_path / "x.gguf", published)


@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda scaling: scaling["rope_type"])
@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_each_scaling_of_positions_has_the_logits_of_transformers(kind, scaling, tmp_path):
    published = tiny_llama(300, kind, rope_parameters=scaling)
    write_gguf(tmp_path / "x.gguf", published)
    assert_same_logits(tmp_path / "x.gguf", published)


def test_another_scaling_than_that_of_llama_3_is_refused(tmp_path):
    published = tiny_llama(300, rope_parameters=LLAMA3 | {"low_freq_factor": 2.0, "high_freq_factor": 16.0})
    write_gguf(tmp_path / "x.gguf", published)
    with pytest.raises(CaudexError, match=r"rope_freqs\.weight is not the scaling of Llama 3"):
        read_gguf(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("kind", "error"), [("F16", 1e-3), ("BF16", 1e-2), ("Q8_0", 1e-2), ("Q4_0", 0.2), ("Q4_1", 0.1)]
)
def test_quantised_weights_are_near_those_that_were_written(kind, error, tmp_path):
    model = tiny_llama(300)
    write_gguf(tmp_path / "x.gguf", model, dict.fromkeys(["blk.1.attn_k.weight", "token_embd.weight"], kind))
    weights = read_gguf(tmp_path / "x.gguf").weights
    for name in ("model.layers.1.self_attn.k_proj.weight", "model.embed_tokens.weight"):
        written = model.state_dict()[name]
        assert 0 < (weights[name] - written).abs().max() < error * written.abs().max()


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"])
def test_quantised_weights_are_those_that_the_library_reads(kind, tmp_path):
    file, quantisation = tmp_path / "x.gguf", gguf.GGMLQuantizationType[kind]
    model = tiny_llama(300, "qwen2", hidden_size=256, num_hidden_layers=1)
    block, block_bytes = gguf.GGML_QUANT_SIZES[quantisation]
    content = np.random.default_rng(0).integers(0, 256, (300, 256 // block * block_bytes), np.uint8)
    write_gguf(file, model, tensors={"token_embd.weight": (content, kind)})
    with np.errstate(all="ignore"):  # any bytes are quantised numbers, some of them not finite
        theirs = next(t for t in gguf.GGUFReader(file).tensors if t.name == "token_embd.weight")
        expected = gguf.dequantize(theirs.data, quantisation)
        ours = read_gguf(file).weights["model.embed_tokens.weight"].numpy()
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"general.architecture": "gemma2"}, 'of the architecture "gemma2"; llama, qwen2, qwen3 can be imported'),
        ({"llama.expert_count": 8}, '"llama.expert_count" is 8; caudex does not compute that'),
        ({"llama.final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        ({"llama.attention.causal": False}, "attention.causal"),
        ({"llama.attention.scale": 0.5}, "attention.scale"),
        ({"llama.rope.dimension_count": 4}, "rope.dimension_count is 4, and a head has 8 features"),
        ({"llama.attention.value_length": 4}, "attention.value_length is 4"),
        ({"llama.vocab_size": 7}, "llama.vocab_size is 7, and token_embd.weight has 300 rows"),
        ({"llama.block_count": None}, "has no field llama.block_count"),
        ({"llama.attention.head_count": [4, 2]}, "not the same for every layer"),
        ({"llama.attention.head_count": 5}, "which 5 heads cannot share"),
        ({"llama.block_count": "two"}, 'llama.block_count is "two", not of type int'),
        ({"general.type": "adapter"}, 'of the type "adapter"'),
        ({"split.count": 3}, "one of several files"),
        ({"tokenizer.ggml.model": "t5"}, 'tokenizer of the kind "t5"'),
        ({"tokenizer.ggml.pre": "tekken"}, 'cuts text as "tekken"'),
        ({"tokenizer.ggml.pre": None}, "has no field tokenizer.ggml.pre"),
        ({"tokenizer.ggml.add_space_prefix": True}, "add_space_prefix is true"),
        ({"tokenizer.ggml.remove_extra_whitespaces": True}, "text may be cut differently"),
        ({"tokenizer.ggml.eos_token_id": 4000}, "eos_token_id is 4,000, and there are 300 tokens"),
        ({"tokenizer.ggml.token_type": [1, 1]}, "300 tokens and the types of 2"),
        ({"tokenizer.ggml.tokens": ["a", "a"]}, 'the types of 300'),
        ({"tokenizer.ggml.merges": ["a b c"]}, 'the merge "a b c" is no pair'),
        ({"tokenizer.ggml.add_bos_token": True}, "puts a token around every text, and does not say which"),
    ],
)  # fmt: skip
def test_what_would_be_another_function_is_refused_by_name(fields, message, tmp_path):
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), fields=fields)
    with pytest.raises(CaudexError, match=message) as error:
        read_gguf(tmp_path / "x.gguf")
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    "fields",
    [
        {"llama.expert_count": 0},
        {"llama.attention.causal": True},
        {"general.license": "mit"},
        {"tokenizer.ggml.fim_pre_token_id": 3},
        {"llama.rope.scaling.type": "none"},
        {"llama.feed_forward_length": [40, 40]},
    ],
)
def test_fields_without_effect_are_read(fields, tmp_path):
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), fields=fields)
    assert read_gguf(tmp_path / "x.gguf").config["intermediate_size"] == 40


def test_the_tokenizer_and_the_template_are_those_that_were_written(tmp_path):
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), fields={"tokenizer.chat_template": "{{ messages }}"})
    public = read_gguf(tmp_path / "x.gguf")
    tokenizer = parse_tokenizer(public.tokenizer, "x.gguf")
    assert tokenizer.encode(TEXT).ids == tiny_tokenizer("bpe").encode(TEXT)
    assert tokenizer.decode(tokenizer.encode(TEXT).ids) == TEXT
    assert public.chat_template == "{{ messages }}"


@pytest.mark.parametrize(("pre", "start"), [("gpt-2", None), ("qwen2", None), ("llama-bpe", 2)])
def test_a_llama_3_begins_with_its_token_also_where_the_file_does_not_say_so(pre, start, tmp_path):
    fields = {"tokenizer.ggml.pre": pre, "tokenizer.ggml.bos_token_id": 2}
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), fields=fields)
    assert load_public_model(tmp_path / "x.gguf").model.tokenizer.start_token_id == start


def test_more_tokens_than_the_model_has_are_refused(tmp_path):
    write_gguf(tmp_path / "x.gguf", tiny_llama(200))
    with pytest.raises(CaudexError, match="the vocabulary has 300 tokens, the model 200"):
        load_public_model(tmp_path / "x.gguf")


def test_a_tensor_of_another_architecture_is_named(tmp_path):
    tensors = {"blk.0.post_ffw_norm.weight": (np.ones(32, np.float32), "F32")}
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), tensors=tensors)
    with pytest.raises(
        CaudexError, match=r'has the tensor "blk\.0\.post_ffw_norm\.weight", which caudex does not compute'
    ):
        read_gguf(tmp_path / "x.gguf")
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), fields={"general.architecture": "gemma3"}, tensors=tensors)
    with pytest.raises(CaudexError, match='architecture "gemma3"'):
        read_gguf(tmp_path / "x.gguf")


def test_a_weight_that_is_no_number_is_refused(tmp_path):
    published = tiny_llama(300)
    published.state_dict()["model.layers.1.mlp.up_proj.weight"][3, 4] = float("nan")
    write_gguf(tmp_path / "x.gguf", published)
    with pytest.raises(CaudexError, match=r"layers\.1\.mlp\.up_proj\.weight holds numbers that are not finite"):
        load_public_model(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("cat", ["▁cat"]),
        ("at  tat", ["▁", "at", "▁", "▁", "t", "at"]),
        (" ca", ["▁", "▁c", "a"]),
        ("é", ["▁", "<0xC3>", "<0xA9>"]),
        ("a</s>", ["▁a", "</s>"]),
        ("", []),
    ],
)
def test_pieces_are_merged_by_their_scores(text, pieces, tmp_path):
    write_gguf(tmp_path / "x.gguf", tiny_llama(300), fields=SENTENCEPIECE)
    tokenizer = parse_tokenizer(read_gguf(tmp_path / "x.gguf").tokenizer, "x.gguf")
    encoding = tokenizer.encode(text)
    assert encoding.tokens == ["<s>", *pieces]  # llama.cpp begins every text of such a model so
    assert tokenizer.decode(encoding.ids) == text.removesuffix("</s>")


@cache
def whole_file(tokenizer: str) -> tuple[bytes, int]:
    """The bytes of a file, and how many of them are the header."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.gguf"
        write_gguf(file, tiny_llama(300), fields=SENTENCEPIECE if tokenizer == "llama" else None)
        return file.read_bytes(), min(tensor.offset for tensor in read_gguf_header(file).tensors.values())


class Content(bytes):
    """Too long to be printed when a test fails."""

    def __repr__(self) -> str:
        return f"{len(self):,} bytes, {self[:32]!r}..."


def peak_memory() -> int:
    """Bytes of this process, so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


NUMBERS = [0, 1, 2, 3, 255, 1 << 16, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 63, (1 << 64) - 1]


@some.composite
def mutated_header(draw, content: bytes, size: int) -> bytes:
    """A number in the header is another."""
    start = draw(some.integers(4, size - 8))
    number = struct.pack("<Q", draw(some.sampled_from(NUMBERS) | some.integers(0, 2 * len(content))))
    return content[:start] + number[: draw(some.sampled_from([1, 4, 8]))] + content[start + 8 :]


@pytest.mark.parametrize("tokenizer", ["gpt2", "llama"])
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(choice=some.data())
def test_a_changed_file_is_read_or_refused_in_a_sentence(tokenizer, choice, tmp_path):
    content, size = whole_file(tokenizer)
    file, start, memory = tmp_path / "x.gguf", time.process_time(), peak_memory()
    header = mutated_bytes(content[:size]).map(lambda other: other + content[size:])
    file.write_bytes(choice.draw((mutated_header(content, size) | header | mutated_bytes(content)).map(Content)))
    try:
        model = load_public_model(file).model
        model.tokenizer.decode(model.tokenizer.encode(TEXT))
        list(model.generate("The cat", 3))
    except CaudexError as error:
        message = str(error)
        assert message.endswith(".") and "\n" not in message and len(message) < 1000
    assert time.process_time() - start < 5 and peak_memory() - memory < 1 << 28
