"""The packaged model, SmolLM2-135M-Instruct: the figures of transformers 5.24 that reads the same file."""

import pytest
import torch

from caudex import data
from caudex.data import Tokenizer
from caudex.models.importing import load_public_model

GREEDY = {
    "The capital of France is": [
        7042, 30, 198, 198, 504, 2988, 314, 42, 216, 34, 32, 33, 40, 29, 32, 33, 29, 34, 34, 216
    ],
    "Once upon a time, there was a little fox who": [
        761, 253, 1767, 41292, 42, 384, 856, 3015, 288, 2355, 30, 909, 856, 597, 3015, 288, 3930, 30, 198, 198
    ],
}  # fmt: skip
IDS = {
    'two  spaces': [11355, 216, 5600],
    'a   b\n\n c\t\td': [81, 256, 278, 1116, 265, 197, 197, 84],
    'x12 y  34 z\n56': [104, 33, 34, 329, 256, 35, 36, 1892, 198, 37, 38],
    "don't I'll we'RE": [12420, 982, 339, 3060, 392, 23, 3256],
    '漢字かな交じり文': [177, 137, 112, 36518, 7365, 229, 7365, 120, 16736, 114, 7365, 242, 10391, 228, 29184],
    '😀👩\u200d👩\u200d👧 emoji': [10813, 242, 218, 10813, 235, 119, 321, 231, 10813, 235, 119, 321, 231, 10813, 235, 117, 649, 33777],
    '<|im_start|>user\nHi<|im_end|>\n': [1, 4093, 198, 26843, 2, 198],
    '    def f(x):\n        return x**2': [333, 753, 275, 24, 104, 727, 448, 1003, 1792, 828, 34],
    '½ Ⅷ ²': [16738, 216, 173, 223, 117, 216, 19133],
    'zero\u200bwidth': [13723, 321, 229, 6930],
}  # fmt: skip
"""also of llama.cpp; where spaces stand before a digit, transformers forgets that SmolLM2 splits digits off first, and has others"""


@pytest.fixture(scope="module")
def model():
    return load_public_model(data.corpus_folder("smollm2")).model


@pytest.mark.parametrize("prompt", GREEDY)
def test_greedy_text_is_that_of_transformers(model, prompt):
    generated = [ids[0] for ids in model.generate_tokens(model.tokenizer.encode(prompt), 20, temperature=0)]
    assert generated == GREEDY[prompt]


@torch.no_grad()
def test_logits_are_those_of_transformers(model):
    tokens = torch.tensor([model.tokenizer.encode("Once upon a time, there was a little fox who")])
    logits = model.signals["next-token"].logits(model.trunk, model.trunk(tokens).pooled).log_softmax(-1)[0]
    expected = [-18.7961502, -32.3745880, -31.2161427, -34.4356270, -34.2916450, -32.5144501, -31.1466675, -32.5198975]
    torch.testing.assert_close(logits[:8], torch.tensor(expected), atol=1e-3, rtol=0)


def test_a_turn_ends_with_its_own_token(model):
    assert model.eos_token_ids == (2,) and model.spec.chat_template


def test_the_tokenizer_has_the_ids_of_transformers_and_llama_cpp():
    tokenizer = Tokenizer.load("smollm2")
    for text, ids in IDS.items():
        assert tokenizer.encode(text) == ids
        assert tokenizer.decode(ids) == text
