"""Packaged schemas and answers, without a model."""

import pytest

from caudex.models.prompting import WINOGRAD_SCHEMAS, is_correct_answer


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
