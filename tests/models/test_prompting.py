"""Packaged schemas and answers, without a model or with one that has learned nothing."""

import pytest
import torch
from helpers.texts import make_sentences

from caudex.core.learner import Learner
from caudex.core.specs import TextSpec
from caudex.data.text.tokenizers import Tokenizer
from caudex.models.causal_lm import CausalLM
from caudex.models.prompting import WINOGRAD_SCHEMAS, answer_question, is_correct_answer
from caudex.signals import NextToken
from caudex.trunks import GPT2_LAYOUT, Transformer


def test_the_packaged_schemas_come_in_pairs_that_one_word_turns_round():
    for one, other in zip(WINOGRAD_SCHEMAS[::2], WINOGRAD_SCHEMAS[1::2]):
        assert one.candidates == other.candidates
        assert (one.answer, other.answer) == (0, 1)
        pairs = zip(one.sentence.split(), other.sentence.split(), strict=True)
        assert sum(a != b for a, b in pairs) == 1


@pytest.mark.parametrize(
    ("answered", "truth", "is_right"),
    [("Charles Darwin.", "charles darwin", True), ("It was Darwin", "Charles Darwin", False), ("8", "18", False)],
)
def test_an_answer_must_hold_the_truth(answered, truth, is_right):
    assert is_correct_answer(answered, truth) is is_right


def test_an_answer_keeps_the_tokens_it_was_generated_with():
    """They are not those that its text is encoded to: a model that has learned nothing spells otherwise."""
    tokenizer = Tokenizer.train("bpe", [(0, make_sentences(0, 200))], 300)
    sizes = GPT2_LAYOUT | {"vocabulary": tokenizer.vocab_size, "width": 16, "context": 64, "depth": 1, "heads": 2}
    torch.manual_seed(3)
    model = CausalLM(
        Learner(Transformer(**sizes), {"next-token": NextToken()}), TextSpec(sizes, tokenizer.config)
    ).eval()
    with torch.no_grad():
        model.trunk.token_embedding.weight.normal_()  # else all tokens are about as likely
    answer, probability = answer_question(model, "Who?", 6)
    prompt = tokenizer.encode("Q: Who?\nA:", parse_special=False)
    tokens = [token for (token,) in model.generate_tokens(prompt, 6, temperature=0)]
    assert answer == tokenizer.decode(tokens).strip() and "\n" not in answer
    assert tokenizer.encode(f" {answer}") != tokens
    ids = torch.tensor([[tokenizer.eos_token_id, *prompt, *tokens]])
    with torch.no_grad():
        features = model.trunk(ids[:, :-1]).layers["tokens"][0, len(prompt) :]
        log_probs = model.signals["next-token"].logits(model.trunk, features).log_softmax(-1)
    expected = log_probs.gather(1, torch.tensor(tokens)[:, None]).sum().exp()
    assert probability == pytest.approx(float(expected), rel=1e-4)
