"""Texts are encoded once: by their tokens and the weights, on after an interruption, and as without a cache."""

from copy import deepcopy

import pytest
import torch
from helpers.language_models import make_causal_lm
from helpers.texts import make_sentences

from caudex.data import LabelledTexts
from caudex.data.text.text_batches import pad_activations
from caudex.models import text_features
from caudex.models.text_features import TextEncoder

PROMPT = "{text}\nwho:"
TEXTS = [make_sentences(number, 1 + number % 5) for number in range(20)]


def labelled(texts):
    return LabelledTexts(list(texts), torch.zeros(len(texts), dtype=torch.int64), ("a", "b"))


class CountingEncoder(TextEncoder):
    """Counts the texts that go through the network; interrupted after `stop_after` of them."""

    def __init__(self, prompt=PROMPT, seed=3, stop_after=1000):
        super().__init__(make_causal_lm(seed=seed), prompt)
        self.trunk.encode, encode, self.count = self.count_texts, self.trunk.encode, 0
        self.encode_batch, self.stop_after = encode, stop_after

    def count_texts(self, batch):
        if self.count >= self.stop_after:
            raise KeyboardInterrupt
        self.count += len(batch.tokens)
        return self.encode_batch(batch)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text_features, "CHUNK", 4)


@pytest.mark.parametrize("prompt", [PROMPT, None])
def test_cached_features_equal_computed_ones(prompt):
    encoder, model = CountingEncoder(prompt), make_causal_lm()
    features = encoder.encode(labelled(TEXTS))
    assert features.shape == (20, 16) and features.dtype == torch.float32 and encoder.count == 20
    if prompt is None:
        expected = model.mean_features(TEXTS)
    else:
        ids = [model.tokenizer.encode(PROMPT.replace("{text}", text), False) for text in TEXTS]
        with torch.no_grad():
            expected = torch.cat([model.trunk(torch.tensor([row])).layers["tokens"][:, -1] for row in ids])
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    again = CountingEncoder(prompt)
    assert torch.equal(again.encode(labelled(TEXTS[::-1])), features.flip(0)) and again.count == 0


def test_what_features_follow_from_is_in_the_key():
    CountingEncoder().encode(labelled(TEXTS[:8]))
    for encoder, texts, count in (
        (CountingEncoder(), TEXTS[:9], 1),
        (CountingEncoder(seed=4), TEXTS[:9], 9),  # other weights
        (CountingEncoder("{text} who:"), TEXTS[:9], 9),  # another prompt
        (CountingEncoder(None), TEXTS[:9], 9),
        (CountingEncoder(), [TEXTS[0] + " cat", TEXTS[0]], 1),
    ):
        encoder.encode(labelled(texts))
        assert encoder.count == count


def test_an_interrupted_encoding_goes_on():
    stopped = CountingEncoder(stop_after=8)
    with pytest.raises(KeyboardInterrupt):
        stopped.encode(labelled(TEXTS))
    resumed = CountingEncoder()
    resumed.encode(labelled(TEXTS))
    assert stopped.count == 8 and resumed.count == 12


def test_two_processes_share_the_work_and_a_cut_file_loses_only_its_end(tmp_path):
    first, second, encode = CountingEncoder(), CountingEncoder(), None

    def encode_by_both(batch):
        if first.count == 4:  # meanwhile another process encodes all the rest
            second.encode(labelled(TEXTS))
        return encode(batch)

    encode, first.encode_batch = first.encode_batch, encode_by_both
    features = first.encode(labelled(TEXTS))
    assert first.count < 20
    (file,) = (tmp_path / "cache" / "features").glob("*/features")
    file.write_bytes(file.read_bytes()[: 5 * 16 * 4 + 3])
    third = CountingEncoder()
    torch.testing.assert_close(third.encode(labelled(TEXTS)), features, atol=1e-5, rtol=0)
    assert third.count == 15


def test_no_text_has_no_features():
    assert TextEncoder(make_causal_lm(), PROMPT).encode(labelled([])).shape == (0, 16)


def test_cached_activations_are_those_of_the_block_before():
    torch.manual_seed(0)
    model = deepcopy(make_causal_lm())
    model.trunk.blocks.append(deepcopy(model.trunk.blocks[0]))
    encoder = TextEncoder(model, PROMPT, tuned_blocks=1)
    activations = encoder.encode_activations(labelled(TEXTS))
    ids = [model.tokenizer.encode(PROMPT.replace("{text}", text), False) for text in TEXTS]
    for (values,), row in zip(activations, ids, strict=True):
        expected = model.trunk(torch.tensor([row])).layers["block1"][0]
        assert values.dtype == torch.float16
        torch.testing.assert_close(values.float(), expected, atol=1e-2, rtol=1e-3)
    batch = pad_activations(activations[:3])
    assert batch.values.shape == (3, max(map(len, ids[:3])), 16) and batch.lengths.tolist() == list(map(len, ids[:3]))
    with torch.no_grad():
        torch.testing.assert_close(
            encoder.trunk(batch).pooled, TextEncoder(model, PROMPT).encode(labelled(TEXTS[:3])), atol=1e-2, rtol=0
        )
