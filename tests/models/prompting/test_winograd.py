"""Winograd schemas: the packaged ones, and how candidates are put in."""

import pytest
import torch
from helpers.language_models import make_causal_lm

from caudex.core.errors import CaudexError
from caudex.models.prompting.winograd import WinogradSchema, packaged_schemas, parse_schema, resolve_pronouns


def test_the_packaged_schemas_come_in_pairs_that_one_word_turns_round():
    schemas = packaged_schemas()
    assert len(schemas) == len(set(schemas)) == 60
    for one, other in zip(schemas[::2], schemas[1::2]):
        assert (one.before, one.candidates) == (other.before, other.candidates)
        assert (one.answer, other.answer) == (0, 1)
        places = [one.before.lower().index(candidate.lower()) for candidate in one.candidates]
        assert places == sorted(places)  # the first candidate is the one that comes first
        pairs = list(zip(one.after.split(), other.after.split(), strict=True))
        assert 1 <= sum(a != b for a, b in pairs) <= 2  # a closed, an open


@pytest.mark.parametrize(
    ("before", "candidate", "resolved"),
    [
        ("", "the cat", "The cat"),
        ("It fell because ", "The cat", "It fell because the cat"),
        ("It fell. ", "the cat", "It fell. The cat"),
        ('He said: "', "Mark", 'He said: "Mark'),
        ("It fell because ", "Theodore", "It fell because Theodore"),
    ],
)
def test_a_candidate_is_capital_where_a_sentence_begins(before, candidate, resolved):
    assert WinogradSchema(before, " ran.", (candidate, "x")).resolve(candidate) == resolved


def test_full_scores_the_sentence_and_partial_what_stands_behind():
    model = make_causal_lm()
    schemas = [
        parse_schema("the dog saw the cat and _ ran on the mat", ("the dog", "the cat")),
        parse_schema("_ sat under a big old mat", ("the cat", "red dog", "who")),
    ]
    predictions = resolve_pronouns(model, schemas)
    for schema, prediction in zip(schemas, predictions):
        full, partial = [], []
        for candidate in schema.candidates:
            resolved = schema.resolve(candidate)
            full.append(model.log_likelihoods([("", resolved + schema.after)])[0])
            partial.append(model.log_likelihoods([(resolved, schema.after)])[0])
        assert prediction == (int(torch.cat(full).argmax()), int(torch.cat(partial).argmax()))


@pytest.mark.parametrize(
    ("sentence", "candidates"),
    [
        ("no pronoun.", ("a", "b")),
        ("ends in _", ("a", "b")),
        ("_ is _.", ("a", "b")),
        ("_ is.", ("a",)),
        ("_ is.", ("a", "")),
    ],
)
def test_what_is_no_schema(sentence, candidates):
    with pytest.raises(CaudexError, match="is no schema: it needs one _"):
        parse_schema(sentence, candidates)
