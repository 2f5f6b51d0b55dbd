"""Questions and answers, with a model that has learned nothing."""

import pytest
import torch
from helpers.language_models import make_causal_lm

from caudex.core.errors import CaudexError
from caudex.models.prompting.packaged_questions import QA_EXAMPLES, QUESTIONS
from caudex.models.prompting.questions import answer_questions, generate_lines, is_correct_answer, make_question_prompt


def test_packaged_questions_stand_there_once():
    questions = [question for question, _ in QUESTIONS]
    assert len(questions) == len(set(questions)) == 44
    assert not set(questions) & {question for question, _ in QA_EXAMPLES}
    for _, truth in QUESTIONS:
        assert all(spelling.strip() and len(spelling) < 30 for spelling in truth.split("|"))


@pytest.mark.parametrize(
    ("answered", "truth", "is_right"),
    [
        ("Charles Darwin.", "charles darwin", True),
        ("It was Darwin", "Charles Darwin", False),
        ("It was Darwin", "Charles Darwin|Darwin", True),
        ("8", "18", False),
        ("8 legs", "eight|8", True),
        ("", "a|", False),
    ],
)
def test_an_answer_must_hold_a_spelling_of_the_truth(answered, truth, is_right):
    assert is_correct_answer(answered, truth) is is_right


def test_an_answer_keeps_the_tokens_it_was_generated_with():
    """They are not those that its text is encoded to: a model that has learned nothing spells otherwise."""
    model = make_causal_lm(context=64)
    tokenizer = model.tokenizer
    ((answer, probability),) = answer_questions(model, ["Who?"], max_new_tokens=6)
    prompt = tokenizer.encode(make_question_prompt("Who?", 0), parse_special=False)
    tokens = [token for (token,) in model.generate_tokens(prompt, 6, temperature=0)]
    assert answer == tokenizer.decode(tokens).strip() and "\n" not in answer
    assert tokenizer.encode(f" {answer}") != tokens
    ids = torch.tensor([[*prompt, *tokens]])
    with torch.no_grad():
        features = model.trunk(ids[:, :-1]).layers["tokens"][0, len(prompt) - 1 :]
        log_probs = model.signals["next-token"].logits(model.trunk, features).log_softmax(-1)
    expected = log_probs.gather(1, torch.tensor(tokens)[:, None]).sum().exp()
    assert probability == pytest.approx(float(expected), rel=1e-4)


def test_a_batch_answers_as_each_question_alone():
    model = make_causal_lm(context=256)
    questions = ["Who ran?", "Who sat?", "Is the cat on the mat?", "Is the dog on the mat?", "Why?"]
    together = answer_questions(model, questions, num_shots=2, max_new_tokens=8)
    for question, (text, probability) in zip(questions, together):
        ((alone, alone_probability),) = answer_questions(model, [question], num_shots=2, max_new_tokens=8)
        assert (text, probability) == (alone, pytest.approx(alone_probability, rel=1e-3))


def test_a_line_ends_before_its_newline(monkeypatch):
    model = make_causal_lm(context=64)
    encode = model.tokenizer.encode
    script = [*encode(" the cat"), *encode("\n"), *encode("dog")]

    def scripted(tokens, state):
        logits = torch.full((len(tokens), model.tokenizer.vocab_size), -20.0)
        logits[:, script[len(calls)]] = 20.0
        calls.append(tokens)
        return logits

    calls = []
    monkeypatch.setattr(type(model), "next_logits", lambda self, tokens, state: scripted(tokens, state))
    assert generate_lines(model, [encode("Q")], 20)[0].text == "the cat"
    assert len(calls) == script.index(encode("\n")[0]) + 1


def test_a_question_that_does_not_fit():
    model = make_causal_lm(context=64)
    with pytest.raises(CaudexError, match="and an answer of 20 tokens do not fit into the context of 64"):
        answer_questions(model, ["who sat on the mat " * 20])
