"""What stands before a prompt, and that generation does what the model does."""

import json

import pytest
import torch
from helpers.public_models import write_public_folder

from caudex.models import causal_lm
from caudex.models.importing import load_hf_model
from caudex.trunks.inference_copy import MIN_BLOCKED_ROWS


def test_the_token_that_a_tokenizer_puts_before_a_text_stands_before_a_prompt(tmp_path):
    write_public_folder(tmp_path, "llama")
    model = load_hf_model(tmp_path).model
    ids = model.tokenizer.encode("The cat")
    assert model.tokenizer.start_token_id is None and model.prompt_ids("The cat") == ids and model.prompt_ids("") == [0]
    start = {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}
    template = [{"SpecialToken": {"id": start["id"], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = [*template, {"Sequence": {"id": "B", "type_id": 0}}]
    processor = {"type": "TemplateProcessing", "single": template, "pair": pair, "special_tokens": {start["id"]: start}}
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"post_processor": processor}))
    model = load_hf_model(tmp_path).model
    assert model.tokenizer.start_token_id == 0 and model.prompt_ids("The cat") == [0, *ids]


@pytest.mark.parametrize(("rows", "free_memory"), [(1, 2**40), (MIN_BLOCKED_ROWS, 2**40), (MIN_BLOCKED_ROWS, 0)])
def test_generated_tokens_are_the_likeliest_of_the_whole_text(tmp_path, monkeypatch, rows, free_memory):
    monkeypatch.setattr(causal_lm, "available_memory", lambda: free_memory)
    write_public_folder(tmp_path, "llama")
    model = load_hf_model(tmp_path).model
    sequence = model.prompt_ids("The cat")
    for new_tokens in model.generate_tokens(sequence, 6, temperature=0.0, num_return_sequences=rows):
        logits = model.next_logits(torch.tensor([sequence]), model.trunk.initial_state(1))
        assert new_tokens == [logits.argmax().item()] * rows
        sequence = [*sequence, new_tokens[0]]
