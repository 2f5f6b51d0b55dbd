"""Beam search finds what enumeration finds, and selects the rows of a cache rightly."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex.models.beam_search import beam_search

END = 0


class TableModel:
    """ln p of the next token depends on all tokens so far: a table for each sequence. Its cache is the sequences themselves."""

    def __init__(self, seed, size, problems):
        self.seed, self.size = seed, size
        self.cache = [(problem,) for problem in range(problems)]
        self.calls = 0

    def log_probabilities(self, sequence):
        generator = torch.Generator().manual_seed(hash((self.seed, *sequence)) % 2**31)
        return (2 * torch.randn(self.size, generator=generator)).log_softmax(0)

    def first(self):
        return torch.stack([self.log_probabilities(sequence) for sequence in self.cache])

    def advance(self, rows, tokens):
        self.calls += 1
        self.cache = [(*self.cache[row], token) for row, token in zip(rows.tolist(), tokens.tolist())]
        return self.first()

    def enumerate(self, problem, max_tokens, length_penalty):
        """Every sequence that ends, or has the greatest length, with its score; the best first."""
        scored = []
        for length in range(1, max_tokens + 1):
            for tokens in product(range(self.size), repeat=length):
                if END in tokens[:-1] or (tokens[-1] != END and length < max_tokens):
                    continue
                steps = [self.log_probabilities((problem, *tokens[:i]))[token] for i, token in enumerate(tokens)]
                scored.append((sum(steps).item() / length**length_penalty, list(tokens)))
        return sorted(scored, reverse=True)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.6, 1.0, 2.0]))
def test_with_enough_beams_the_best_of_all_sequences_are_the_ones_that_enumeration_has(seed, length_penalty):
    model = TableModel(seed, size=3, problems=2)
    results = beam_search(model.first(), model.advance, 27, 3, [END], length_penalty)
    for problem, hypotheses in enumerate(results):
        expected = model.enumerate(problem, 3, length_penalty)
        assert [h.tokens for h in hypotheses] == [tokens for _, tokens in expected[:27]]
        assert [h.score for h in hypotheses] == pytest.approx([score for score, _ in expected[:27]], abs=1e-5)


def test_one_beam_without_an_end_is_greedy():
    model = TableModel(3, size=5, problems=4)
    sequences = [list(sequence) for sequence in model.cache]
    for sequence in sequences:
        for _ in range(6):
            sequence.append(model.log_probabilities(sequence).argmax().item())
    results = beam_search(model.first(), model.advance, 1, 6)
    assert [best.tokens for (best,) in results] == [sequence[1:] for sequence in sequences]


def test_two_beams_find_what_greedy_misses():
    # first token: 1 has 0.6, 2 has 0.4; behind 1 nothing is likelier than 0.4, behind 2 token 3 is certain
    def advance(rows, tokens):
        table = {1: [0.0, 0.3, 0.3, 0.4], 2: [0.0, 0.0, 0.0, 1.0]}
        return torch.tensor([table[token] for token in tokens.tolist()]).log()

    first = torch.tensor([[0.0, 0.6, 0.4, 0.0]]).log()
    ((greedy,),) = beam_search(first, advance, 1, 2)
    assert greedy.tokens == [1, 3]
    ((best, second),) = beam_search(first, advance, 2, 2)
    assert (best.tokens, second.tokens) == ([2, 3], [1, 3])
    assert best.score == pytest.approx(torch.tensor(0.4).log().item() / 2)


def test_the_search_ends_when_nothing_can_become_better():
    # the end is certain at once: one open sequence is left that no longer matters
    first = torch.tensor([[0.999, 0.001]]).log()
    calls = []

    def advance(rows, tokens):
        calls.append(tokens)
        return torch.tensor([[0.5, 0.5]]).log().repeat(len(rows), 1)

    ((best,),) = beam_search(first, advance, 1, 50, [END])
    assert (best.tokens, calls) == ([END], [])


def test_impossible_tokens_are_in_no_hypothesis():
    first = torch.tensor([[0.0, 1.0, 0.0]]).log()
    ((only,),) = beam_search(first, lambda rows, tokens: first[torch.zeros_like(rows)], 4, 2)
    assert only.tokens == [1, 1] and only.score == pytest.approx(0)
