"""Operations counted by hooks, by the trunks' own formulas and by hand."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from caudex.core.compute import Compute, count_flops
from caudex.core.shadow import Shadow
from caudex.trunks import MLP, Conv, Identity, ResNet


def measured_flops(module, *inputs, **named):
    with torch.no_grad(), count_flops(module) as counter:
        module(*inputs, **named)
    return counter.flops


@pytest.mark.parametrize(
    ("module", "shape", "flops"),
    [
        (nn.Linear(7, 5), (3, 7), 2 * 3 * 7 * 5),
        (nn.Linear(7, 5), (3, 4, 7), 2 * 3 * 4 * 7 * 5),
        (nn.Conv2d(4, 6, 3, padding=1), (2, 4, 5, 5), 2 * 2 * 6 * 25 * 4 * 9),
        (nn.Conv2d(4, 6, 3, stride=2, groups=2), (2, 4, 7, 7), 2 * 2 * 6 * 9 * 2 * 9),
        (nn.Conv1d(4, 6, 5), (2, 4, 9), 2 * 2 * 6 * 5 * 4 * 5),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (2, 4, 5, 5), 2 * 2 * 4 * 25 * 6 * 4),
        (nn.GRU(7, 5), (3, 2, 7), 2 * 6 * 3 * 5 * (7 + 5)),
        (nn.LSTM(7, 5, num_layers=2), (3, 2, 7), 2 * 6 * 4 * 5 * ((7 + 5) + (5 + 5))),
        (nn.LSTM(7, 5, bidirectional=True, batch_first=True), (2, 3, 7), 2 * 2 * 6 * 4 * 5 * (7 + 5)),
        (nn.LSTM(7, 5, proj_size=2), (3, 2, 7), 2 * 6 * (4 * 5 * (7 + 2) + 5 * 2)),
        (nn.RNN(7, 5), (3, 2, 7), 2 * 6 * 5 * (7 + 5)),
        (nn.GRUCell(7, 5), (3, 7), 2 * 3 * 3 * 5 * (7 + 5)),
    ],
)
def test_layers_by_hand(module, shape, flops):
    assert measured_flops(module, torch.randn(shape)) == flops


def test_packed_sequences_count_their_tokens_only():
    packed = pack_sequence([torch.randn(5, 7), torch.randn(2, 7)])
    assert measured_flops(nn.GRU(7, 5), packed) == 2 * 7 * 3 * 5 * (7 + 5)


@pytest.mark.parametrize("named", [False, True])
def test_attention_by_hand(named):
    # 2 examples, 3 queries of width 8, 5 others of widths 6 and 4
    attention = nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True)
    query, key, value = torch.randn(2, 3, 8), torch.randn(2, 5, 6), torch.randn(2, 5, 4)
    projections = 3 * 8 * 8 + 5 * 6 * 8 + 5 * 4 * 8 + 3 * 8 * 8
    expected = 2 * 2 * (projections + 3 * 5 * 8 + 3 * 5 * 8)
    if named:
        assert measured_flops(attention, query=query, key=key, value=value) == expected
    else:
        assert measured_flops(attention, query, key, value) == expected


@pytest.mark.parametrize("training", [False, True])
def test_a_transformer_layer_counts_the_same_in_both_modes(training):
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True).train(training)
    attention, dense = 3 * 4 * 8 * 8 + 2 * 3 * 3 * 8, 3 * 2 * 8 * 16
    assert measured_flops(layer, torch.randn(2, 3, 8)) == 2 * 2 * (attention + dense)


@pytest.mark.parametrize(
    ("trunk", "shape"),
    [
        (MLP(12, (32, 16)), (12,)),
        (Identity(5), (5,)),
        (Conv(1, width=8), (1, 8, 8)),
        (Conv(3, width=4, stages=4), (3, 13, 9)),
        (Conv(3, width=8, stages=2, norm="group", dropout=0.3), (3, 11, 6)),
        (ResNet(1, width=4, depth=1), (1, 8, 8)),
        (ResNet(3, width=8, depth=2, survival=0.5, dropout=0.2), (3, 32, 32)),
        (ResNet(3, width=4, depth=3, norm="group"), (3, 17, 23)),
        (ResNet(3, width=8, depth=2, stride=2), (3, 15, 30)),
        (ResNet(1, width=4, depth=2, stride=4), (1, 29, 18)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_the_formula_of_each_trunk_agrees_with_the_hooks(trunk, shape):
    assert measured_flops(trunk, torch.rand(3, *shape)) == pytest.approx(3 * trunk.flops(shape), rel=0.01)


def test_a_pass_that_records_gradients_counts_three_times():
    net = nn.Linear(7, 5)
    shadow = Shadow(net)
    with count_flops(nn.ModuleList([net, shadow])) as counter:
        net(torch.randn(3, 7))
        shadow(torch.randn(3, 7))
    assert counter.flops == (3 + 1) * 2 * 3 * 7 * 5


def test_hooks_go_also_after_an_error_and_shared_modules_count_once():
    net = nn.Linear(7, 5)
    with pytest.raises(RuntimeError), count_flops(net, nn.ModuleList([net])) as counter:
        net(torch.randn(3, 7))
        net(torch.randn(3, 8))
    assert counter.flops == 3 * 210
    net(torch.randn(3, 7))
    assert counter.flops == 3 * 210


def test_a_module_can_bring_its_own_rule():
    class Outer(nn.Module):
        def forward(self, x):
            return x[:, :, None] * x[:, None, :]

        def forward_flops(self, inputs, output):
            return output.numel()

    assert measured_flops(Outer(), torch.randn(2, 3)) == 18


def test_the_account():
    report = Compute(flops=8.64e19, seconds=1800, price=3.0).report()
    assert report["petaflop_s_days"] == pytest.approx(1.0)
    assert report["cost"] == 1.5
    assert "1.50 at 3 an hour" in str(Compute(8.64e19, 1800, 3.0))
    assert str(Compute(1e12, 10)) == "1 TFLOP in 10 s (100 GFLOP/s)"
