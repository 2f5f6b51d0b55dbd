"""Next frame: the error against a copy of the last frame, by hand."""

import pytest
import torch
from helpers.signals import build_signal, train_on_batch, unlabelled_windows, zero_decoder
from torch.testing import assert_close

from caudex.core.errors import CaudexError
from caudex.signals import NextFrame


def moving_bars(count=16, side=16):
    """Windows of three frames [2 * count, 3, 1, side, side] of a bar that moves by a pixel, to the right or left."""
    row = torch.arange(side)
    masks = [
        ((row - start - direction * frame) % side < 4)
        for direction in (1, -1)
        for start in range(count)
        for frame in range(3)
    ]
    return torch.stack(masks).float().view(2 * count, 3, 1, 1, side).expand(-1, -1, -1, side, -1)


def test_a_head_that_adds_nothing_copies_the_last_frame_and_has_error_one():
    signal, trunk = build_signal(NextFrame(), channels=3)
    zero_decoder(signal)
    frames = torch.rand(4, 3, 3, 12, 12)
    assert torch.equal(signal.predict(trunk, frames[:, :-1]), frames[:, 1])
    output = signal.loss(trunk, unlabelled_windows(frames))
    assert output.loss.item() == 1 == signal.chance_loss()
    assert output.metrics["squared error of a copy"].item() == pytest.approx(
        (frames[:, 1] - frames[:, 2]).square().mean().item()
    )


def test_the_error_is_over_that_of_a_copy_by_hand(monkeypatch):
    signal, trunk = build_signal(NextFrame())
    frames = torch.tensor([0.0, 0.2, 0.6]).view(1, 3, 1, 1, 1).expand(2, 3, 1, 8, 8)
    monkeypatch.setattr(signal, "predict", lambda trunk, before: 2 * before[:, 1] - before[:, 0])  # goes on as it went
    output = signal.loss(trunk, unlabelled_windows(frames))
    assert output.loss.item() == pytest.approx(0.25)
    assert output.metrics["squared error"].item() == pytest.approx(0.04)


@pytest.mark.parametrize(("before", "given"), [(2, 2), (2, 4), (1, 3), (4, 3)])
def test_windows_of_another_length_are_refused(before, given):
    signal, trunk = build_signal(NextFrame(before))
    with pytest.raises(CaudexError, match=f"windows of {before + 1} frames are needed, not {given}"):
        signal.loss(trunk, unlabelled_windows(torch.rand(2, given, 1, 8, 8)))
    assert signal.loss(trunk, unlabelled_windows(torch.rand(2, before + 1, 1, 8, 8))).loss.isfinite()


def test_each_frame_is_encoded_on_its_own_and_the_last_is_not_seen():
    signal, trunk = build_signal(NextFrame())
    frames, trunk_inputs = torch.rand(3, 3, 1, 8, 8), []
    trunk.register_forward_pre_hook(lambda module, given: trunk_inputs.append(given[0]))
    signal.loss(trunk, unlabelled_windows(frames))
    assert len(trunk_inputs) == 1 and torch.equal(trunk_inputs[0].view(3, 2, 1, 8, 8), frames[:, :-1])


def test_a_prediction_does_not_depend_on_the_rest_of_the_batch_but_on_the_order_of_time():
    signal, trunk = build_signal(NextFrame())
    signal.eval(), trunk.eval()
    before, order = torch.rand(5, 2, 1, 13, 7), torch.tensor([3, 0, 4, 1, 2])
    prediction = signal.predict(trunk, before)
    assert prediction.shape == (5, 1, 13, 7)
    assert_close(signal.predict(trunk, before[order]), prediction[order], atol=1e-5, rtol=0)
    assert_close(signal.predict(trunk, before[2:3]), prediction[2:3], atol=1e-5, rtol=0)
    backwards = signal.predict(trunk, before.flip(1)) - before[:, 0]
    assert not torch.allclose(backwards, prediction - before[:, 1], atol=1e-4)


def test_where_a_bar_moves_is_learned_from_two_frames():
    signal, trunk = build_signal(NextFrame())
    assert train_on_batch(signal, trunk, unlabelled_windows(moving_bars()), 25, 1e-2).loss < 0.4  # a copy has 1
