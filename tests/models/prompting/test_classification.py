"""Classification by prompts, with a model that has learned nothing."""

import pytest
import torch
from helpers.language_models import make_causal_lm, plain_log_likelihood

from caudex.core.errors import CaudexError
from caudex.data.text.labelled_texts import LabelledTexts
from caudex.models.prompting.calibration import median_calibration
from caudex.models.prompting.classification import (
    choose_calibration,
    class_log_likelihoods,
    classify,
    draw_shots,
)
from caudex.models.prompting.prompts import (
    SENTIMENT_EXAMPLES,
    ClassificationPrompt,
    check_words,
    fit_context,
    parse_label_words,
    read_template,
)

SHORT = ClassificationPrompt("{text}:", {"c": "cat", "d": "dog"})
TEXTS = ["the mat", "sat on the mat and the log", "who", "ran"]


def examples(*labels):
    return LabelledTexts([f"example {i}" for i in range(len(labels))], torch.tensor(labels), ("c", "d"))


def test_a_prompt_shows_its_examples_first():
    prompt = ClassificationPrompt(shots=SENTIMENT_EXAMPLES[:1])
    assert prompt.complete("Bad.", "negative") == (
        "Review: A moving film, beautifully acted from first to last.\nSentiment: positive\n\nReview: Bad.\nSentiment: negative"
    )


def test_braces_in_a_text_are_text():
    assert SHORT.complete("{text} {0.__class__}") == "{text} {0.__class__}:"


def test_a_class_is_as_likely_as_its_word_behind_the_prompt():
    model = make_causal_lm()
    log_likelihoods = class_log_likelihoods(model, SHORT, TEXTS)
    for text, row in zip(TEXTS, log_likelihoods.tolist()):
        start = len(model.tokenizer.encode(f"{text}:"))
        plain = [
            plain_log_likelihood(model, model.tokenizer.encode(f"{text}: {word}"), start) for word in ("cat", "dog")
        ]
        assert row[0] - row[1] == pytest.approx(plain[0] - plain[1], abs=1e-4)  # what both begin with is left out


def test_shots_cost_no_likelihood_when_their_prefix_is_cached():
    model = make_causal_lm(context=256)
    prompt = ClassificationPrompt("{text}:", SHORT.words, (("the big old dog", "d"), ("a cat", "c")))
    together = class_log_likelihoods(model, prompt, TEXTS)
    alone = torch.cat([class_log_likelihoods(model, prompt, [text]) for text in TEXTS])
    assert torch.allclose(together, alone, atol=1e-4)


def test_drawn_shots_have_as_many_of_each_class_and_leave_the_others():
    all_examples = examples(0, 0, 0, 0, 1, 1, 1, 1, 1)
    drawn, left = draw_shots(SHORT, all_examples, 4, seed=0, draw=0)
    assert sorted(label for _, label in drawn.shots) == ["c", "c", "d", "d"]
    assert sorted([text for text, _ in drawn.shots] + left.texts) == all_examples.texts
    assert draw_shots(SHORT, all_examples, 4, 0, 0)[0] == drawn
    assert draw_shots(SHORT, all_examples, 4, 0, 1)[0] != drawn
    with pytest.raises(CaudexError, match="--shots 10 takes 5 examples of 'c', and --examples has 4"):
        draw_shots(SHORT, all_examples, 10, 0, 0)


@pytest.mark.parametrize(
    ("kind", "num_texts", "labels", "chosen"),
    [
        ("auto", 1, None, "empty"),
        ("auto", 19, None, "empty"),
        ("auto", 20, None, "median"),
        ("auto", 20, (0, 1), "threshold"),
        ("auto", 20, (0, 0), "median"),  # a threshold needs both
        ("none", 20, (0, 1), "none"),
    ],
)
def test_what_auto_takes(kind, num_texts, labels, chosen):
    assert choose_calibration(kind, num_texts, labels and examples(*labels), 2) == chosen


def test_a_threshold_needs_examples_of_each_class():
    for given in (None, examples(0, 0)):
        with pytest.raises(CaudexError, match="needs labelled texts of each class"):
            choose_calibration("threshold", 20, given, 2)


def test_classify_calibrates_each_draw_by_itself():
    model = make_causal_lm(context=256)
    result = classify(model, SHORT, TEXTS, "median", examples(0, 0, 1, 1), num_shots=2, draws=3)
    assert result.probabilities.shape == (3, 4, 2)
    assert result.probabilities.sum(2).flatten().tolist() == pytest.approx([1.0] * 12)
    assert (result.probabilities.argmax(2).sum(1) == 2).all()  # the median halves four texts
    for draw, probabilities in enumerate(result.probabilities):
        scores = class_log_likelihoods(model, draw_shots(SHORT, examples(0, 0, 1, 1), 2, 0, draw)[0], TEXTS)
        assert torch.allclose(probabilities, median_calibration(scores).probabilities(scores), atol=1e-4)
    assert classify(model, SHORT, TEXTS, "threshold", examples(0, 1, 0, 1)).kind == "threshold"
    three = ClassificationPrompt("{text}:", {"c": "cat", "d": "dog", "m": "mat"})
    assert classify(model, three, TEXTS, "empty").probabilities.shape == (1, 4, 3)


def test_long_texts_are_cut_and_many_examples_left_out():
    model = make_causal_lm(context=128)
    prompt = ClassificationPrompt("{text}:", SHORT.words, tuple(("the cat sat on the mat " * 2, "c") for _ in range(9)))
    fitted, texts, num_truncated = fit_context(model, prompt, ["the dog ran " * 100, "who"])
    assert 0 < len(fitted.shots) < 9
    assert texts[1] == "who" and ("the dog ran " * 100).startswith(texts[0]) and num_truncated == 1
    class_log_likelihoods(model, fitted, texts)
    with pytest.raises(CaudexError, match="leaves no room for a text"):
        fit_context(model, ClassificationPrompt("the cat " * 100 + "{text}:", SHORT.words), ["who"])


def test_words_that_cannot_be_compared():
    model = make_causal_lm()
    with pytest.raises(CaudexError, match="'cat dog' begins with the tokens of 'cat'"):
        check_words(model, ClassificationPrompt("{text}:", {"a": "cat", "b": "cat dog"}), "median")
    words = ClassificationPrompt("{text}:", {"a": "cat", "b": "dog cat"})
    check_words(model, words, "median")
    with pytest.raises(CaudexError, match=r"different numbers of tokens \('cat' \d, 'dog cat' \d\)"):
        check_words(model, words, "none")


@pytest.mark.parametrize(
    ("pairs", "because"),
    [
        ("good", "'good' is no class=word"),
        ("good=", "'good=' is no class=word"),
        ("good=great", "has one class"),
        ("good=great,good=fine", "'good' stands there twice"),
        ("good=great,fine=great", "'great' stands there twice"),
    ],
)
def test_labels_that_are_no_pairs(pairs, because):
    with pytest.raises(CaudexError, match=because):
        parse_label_words(pairs)


def test_labels_may_be_several_words():
    assert parse_label_words("1=very good, 0 = bad") == {"1": "very good", "0": "bad"}


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"Review:", "has no {text}, where the text goes"),
        (b"{text} {text}", "has {text} 2 times"),
        (b" {text}\n", "is {text} alone"),
        (b"\xff{text}", "is not UTF-8"),
        (b"{text}" + b"x" * 70_000, "over 64 KB"),
    ],
)
def test_prompts_that_are_none(tmp_path, content, because):
    (tmp_path / "p.txt").write_bytes(content)
    with pytest.raises(CaudexError, match=because):
        read_template(str(tmp_path / "p.txt"))


def test_a_template_is_a_text_or_a_file_without_its_last_line_end(tmp_path):
    (tmp_path / "p.txt").write_bytes(b"\xef\xbb\xbfText: {text}\r\nTopic:\r\n")
    assert read_template(str(tmp_path / "p.txt")) == "Text: {text}\nTopic:"
    assert read_template(r"Text: {text}\nTopic:") == "Text: {text}\nTopic:"
    with pytest.raises(CaudexError, match="or name a file that holds such a prompt"):
        read_template(str(tmp_path / "none.txt"))
