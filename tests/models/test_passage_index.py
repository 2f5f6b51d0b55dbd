"""Passages, and BM25 by hand."""

import numpy as np
import pytest

from caudex.models.passage_index import BM25, split_passages


def test_bm25_by_hand():
    index = BM25(["apple apple pear", "pear plum", "plum plum plum plum"])
    rarity = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    long = 1.2 * (1 - 0.75 + 0.75 * 3 / 3)
    assert index.scores("apple unknown") == pytest.approx([rarity * 2 * 2.2 / (2 + long), 0, 0])


def test_words_count_as_a_share_of_what_a_passage_could_have():
    index = BM25(["apple apple pear", "pear plum", "plum plum plum plum"])
    rarity, unheard = np.log(1 + 2.5 / 1.5), np.log(1 + 3.5 / 0.5)
    assert index.normalized_scores("apple") == pytest.approx([2 / (2 + 1.2), 0, 0])
    assert index.normalized_scores("apple unknown") == pytest.approx(
        [2 * rarity / (2 + 1.2) / (rarity + unheard), 0, 0]
    )
    assert index.normalized_scores("?") == pytest.approx([0, 0, 0])


def test_passages_are_whole_sentences_of_one_document():
    held = list(split_passages([(0, "One two. Three four five. Six."), (1, "word " * 25)], max_words=5))
    assert [passage.text for passage in held[:2]] == ["One two. Three four five.", "Six."]
    assert {passage.document for passage in held[2:]} == {1}
    assert sum(len(passage.text.split()) for passage in held[2:]) == 25
