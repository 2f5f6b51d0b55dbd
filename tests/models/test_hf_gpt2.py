"""GPT-Neo is read as the GPT-2 that is the same function within its window."""

import pytest
import torch
import transformers
from helpers.public_relatives import write_relative

from caudex.models.importing import load_hf_model


@pytest.mark.parametrize(
    ("settings", "context"),
    [
        ({}, 12),
        ({"attention_types": [[["global"], 2]], "intermediate_size": 40, "tie_word_embeddings": False}, 32),
        ({"window_size": 256}, 32),
    ],
)
def test_it_has_the_figures_of_transformers(settings, context, tmp_path):
    published = write_relative(tmp_path, "gpt_neo", **settings)
    model = load_hf_model(tmp_path).model
    assert model.trunk.context == context
    tokens = torch.randint(0, published.config.vocab_size, (2, context))
    with torch.no_grad():
        logits = model.signals["next-token"].logits(model.trunk, model.trunk(tokens).layers["tokens"])
        torch.testing.assert_close(logits, published(tokens).logits, atol=1e-4, rtol=0)
    model.export(tmp_path / "ours")
    exported = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours").eval()
    with torch.no_grad():
        torch.testing.assert_close(exported(tokens).logits, logits, atol=1e-4, rtol=0)
