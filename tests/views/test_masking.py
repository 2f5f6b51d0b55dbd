"""Which tokens are masked, and by what."""

import pytest
import torch

from caudex.views import Draw, mask_tokens

SPECIAL = torch.zeros(50, dtype=torch.bool)
SPECIAL[:5] = True


def test_fifteen_in_a_hundred_are_hidden_and_eighty_ten_ten_becomes_of_them():
    tokens = torch.randint(5, 50, (400, 100))
    tokens[:, 0], tokens[:, 90:] = 1, 2
    hidden, targets = mask_tokens(tokens, Draw(0, 0, torch.arange(400)), 4, SPECIAL)
    is_target = targets >= 0
    assert (is_target.sum(1) == round(0.15 * 89)).all()  # of those that are no special ones
    assert not is_target[:, 0].any() and not is_target[:, 90:].any()
    assert torch.equal(targets[is_target], tokens[is_target])
    assert torch.equal(hidden[~is_target], tokens[~is_target])
    masked, unchanged = hidden[is_target] == 4, hidden[is_target] == tokens[is_target]
    count = is_target.sum().item()
    assert masked.sum().item() / count == pytest.approx(0.8, abs=0.02)
    assert unchanged.sum().item() / count == pytest.approx(0.1 + 0.1 / 45, abs=0.015)
    assert hidden[is_target][~masked].min() >= 5


def test_one_token_at_least_is_hidden_and_none_where_there_is_none():
    tokens = torch.tensor([[1, 9, 2, 2], [1, 2, 2, 2]])
    hidden, targets = mask_tokens(tokens, Draw(3, 0, torch.arange(2)), 4, SPECIAL)
    assert targets.tolist() == [[-1, 9, -1, -1], [-1, -1, -1, -1]]
    assert torch.equal(hidden[1], tokens[1])


def test_whole_words_are_hidden_together_and_fit_into_the_budget():
    continues = torch.zeros(50, dtype=torch.bool)
    continues[40:] = True  # pieces that go on with a word
    tokens = torch.randint(5, 50, (300, 60))
    tokens[:, 0] = 1
    _, targets = mask_tokens(tokens, Draw(1, 0, torch.arange(300)), 4, SPECIAL, continues)
    is_target = targets >= 0
    for row, marks in zip(tokens.tolist(), is_target.tolist()):
        for place in range(2, 60):
            if row[place] >= 40:
                assert marks[place] == marks[place - 1]
    assert (is_target.sum(1) <= 9).all()
    assert is_target.float().mean().item() == pytest.approx(0.15, abs=0.01)


def test_what_is_hidden_hangs_on_seed_epoch_and_text_alone():
    tokens = torch.randint(5, 50, (6, 20))
    full_batch = mask_tokens(tokens, Draw(1, 2, torch.arange(6)), 4, SPECIAL)
    part = mask_tokens(tokens[3:5], Draw(1, 2, torch.tensor([3, 4])), 4, SPECIAL)
    assert all(torch.equal(a[3:5], b) for a, b in zip(full_batch, part))
    assert not torch.equal(mask_tokens(tokens, Draw(1, 3, torch.arange(6)), 4, SPECIAL)[1], full_batch[1])
