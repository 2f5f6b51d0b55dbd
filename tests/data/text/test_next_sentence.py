"""Pairs of passages come from where they should."""

import numpy as np
import pytest
import torch
from helpers.texts import character_tokenizer, numbered_stream, sentence_stream, wordpiece_tokenizer

from caudex.core.errors import CaudexError
from caudex.data.text.next_sentence import NextSentenceBatches
from caudex.data.text.token_stream import TokenStream


def find_passage(document, passage):
    """All places of the passage in the document."""
    windows = np.lib.stride_tricks.sliding_window_view(document, len(passage)) if len(passage) <= len(document) else []
    return [place for place, window in enumerate(windows) if np.array_equal(window, passage)]


def split_pair(batch, row, tokenizer):
    tokens, segments = batch.tokens[row].numpy(), batch.segments[row].numpy()
    length, seps = int(batch.lengths[row]), np.flatnonzero(batch.tokens[row].numpy() == tokenizer.sep_token_id)
    assert tokens[0] == tokenizer.cls_token_id and len(seps) == 2 and seps[1] == length - 1
    assert (tokens[length:] == tokenizer.pad_token_id).all() and (tokens[:length] != tokenizer.pad_token_id).all()
    assert segments.tolist() == [0] * (seps[0] + 1) + [1] * (length - seps[0] - 1) + [0] * (len(tokens) - length)
    return tokens[1 : seps[0]], tokens[seps[0] + 1 : seps[1]]


def test_b_follows_a_or_is_from_another_document():
    stream, tokenizer = sentence_stream(20), wordpiece_tokenizer()
    source = NextSentenceBatches(stream, 10, 48, seed=1)
    stop = tokenizer.encode(".")[0]
    bodies, random = [stream.document(i)[:-1] for i in range(20)], []
    for _ in range(40):
        batch = next(source)
        for row in range(10):
            a, b = split_pair(batch, row, tokenizer)
            document = int(np.searchsorted(source.first_passages, batch.index[row], "right")) - 1
            positions = find_passage(bodies[document], a)
            assert positions and a[-1] == stop and b[-1] == stop
            assert any(place == 0 or bodies[document][place - 1] == stop for place in positions)
            follows = any(np.array_equal(bodies[document][p + len(a) :][: len(b)], b) for p in positions)
            if batch.is_random_next[row]:
                others = [body for i, body in enumerate(bodies) if i != document]
                assert any(p == 0 or body[p - 1] == stop for body in others for p in find_passage(body, b))
            else:
                assert follows
        random.append(batch.is_random_next)
    assert 0.4 < torch.cat(random).float().mean() < 0.6


def test_lengths_do_not_tell_which_pairs_are_random():
    source = NextSentenceBatches(sentence_stream(200), 50, 64)
    batches = [next(source) for _ in range(40)]
    random = torch.cat([batch.is_random_next for batch in batches])
    lengths = torch.cat([batch.lengths for batch in batches]).float()
    assert abs(lengths[random].mean() - lengths[~random].mean()) < 2


def test_an_epoch_of_pairs_has_each_passage_once():
    source = NextSentenceBatches(sentence_stream(20), 1, 32)
    for _ in range(2):
        assert sorted(next(source).index.item() for _ in range(source.sampler.count)) == list(
            range(source.sampler.count)
        )


def test_a_document_of_one_sentence_is_paired_with_another():
    source = NextSentenceBatches(sentence_stream(8, 1)._split_documents(np.array([3] * 8))[0], 16, 32)
    assert next(source).is_random_next.all()


def test_text_without_sentences_is_cut_anywhere():
    tokenizer = wordpiece_tokenizer()
    (word,) = tokenizer.encode("cat")
    tokens = np.full(400, word)
    tokens[[199, 399]] = tokenizer.sep_token_id
    source = NextSentenceBatches(TokenStream(tokens, np.array([0, 200]), np.array([200, 400]), tokenizer), 50, 32)
    assert 0.2 < next(source).is_random_next.float().mean() < 0.8


def test_pairs_need_two_documents_room_and_special_tokens():
    with pytest.raises(
        CaudexError,
        match=r"need two documents with text; this part of the texts has one\. .* \(--no-next-sentence\)",
    ):
        NextSentenceBatches(sentence_stream(1), 4, 32)
    with pytest.raises(CaudexError, match="4 tokens are too few for a pair"):
        NextSentenceBatches(sentence_stream(2), 4, 4)
    with pytest.raises(CaudexError, match=r"\[CLS\], \[SEP\] and \[PAD\]; take one of the kind wordpiece"):
        NextSentenceBatches(numbered_stream(np.array([20, 20]), character_tokenizer()), 4, 32)
