"""Pairs and long texts fit into the context."""

from caudex.data import Tokenizer, encoded, padded


def test_pairs_and_long_texts_fit_into_the_context():
    tokenizer = Tokenizer.learn("wordpiece", [(0, "a b c d e f g h " * 20)], 60)
    rows = encoded(tokenizer, ["a " * 50, "b"], ["c " * 3, "d " * 50], 16)
    assert [len(tokens) for tokens, _ in rows] == [16, 16]
    for tokens, marks in rows:
        assert tokens[0] == tokenizer.cls and tokens.count(tokenizer.sep) == 2 and tokens[-1] == tokenizer.sep
        assert marks == sorted(marks) and len(marks) == len(tokens)
    assert sum(rows[0][1]) == 4  # the short one is whole
    batch = padded([*rows, ([1, 2], [0, 0])])
    assert batch.lengths.tolist() == [16, 16, 2] and batch.tokens[2, 2:].sum() == 0
