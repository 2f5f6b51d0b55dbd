"""Pairs and long texts fit into the context."""

from caudex.data import Tokenizer, encode_texts, pad_sequences


def test_pairs_and_long_texts_fit_into_the_context():
    tokenizer = Tokenizer.train("wordpiece", [(0, "a b c d e f g h " * 20)], 60)
    rows = encode_texts(tokenizer, ["a " * 50, "b"], ["c " * 3, "d " * 50], 16)
    assert [len(tokens) for tokens, _ in rows] == [16, 16]
    for tokens, marks in rows:
        assert (
            tokens[0] == tokenizer.cls_token_id
            and tokens.count(tokenizer.sep_token_id) == 2
            and tokens[-1] == tokenizer.sep_token_id
        )
        assert marks == sorted(marks) and len(marks) == len(tokens)
    assert sum(rows[0][1]) == 4  # the short one is whole
    batch = pad_sequences([*rows, ([1, 2], [0, 0])])
    assert batch.lengths.tolist() == [16, 16, 2] and batch.tokens[2, 2:].sum() == 0
