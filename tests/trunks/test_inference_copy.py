"""The copy that generates gives what the network gives, and leaves the network as it was."""

import pytest
import torch
from torch import nn

from caudex.trunks import Transformer
from caudex.trunks.inference_copy import BLOCK_SIZES, MIN_BLOCKED_ROWS, inference_copy, linear_function
from caudex.trunks.transformer import BERT_LAYOUT, GPT2_LAYOUT, LLAMA_LAYOUT


@pytest.mark.parametrize("layout", [GPT2_LAYOUT, BERT_LAYOUT, LLAMA_LAYOUT | {"kv_heads": 2, "qk_norm": True}])
@pytest.mark.parametrize("rows", [1, MIN_BLOCKED_ROWS])
def test_features_are_the_networks_own(layout, rows):
    torch.manual_seed(0)
    trunk = Transformer(50, context=12, width=32, depth=2, heads=4, **layout).eval()
    tokens = torch.randint(50, (rows, 7))
    with torch.inference_mode():
        copy = inference_copy(trunk, rows)
        states = [trunk.initial_state(rows) if trunk.causal else None for _ in range(2)]
        for part in tokens.split([5, 2], 1):
            expected, features = (network(part, state) for network, state in zip((trunk, copy), states))
            assert features.layers.keys() == expected.layers.keys()
            torch.testing.assert_close(features.layers["tokens"], expected.layers["tokens"], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(features.pooled, expected.pooled, rtol=1e-5, atol=1e-5)


def test_the_network_stays_as_it_was():
    trunk = Transformer(50, context=12, width=32, depth=2, heads=4).eval()
    pointers = [p.data_ptr() for p in trunk.parameters()]
    inference_copy(trunk, MIN_BLOCKED_ROWS)
    assert [p.data_ptr() for p in trunk.parameters()] == pointers and type(trunk.blocks[0].up_proj) is nn.Linear
    calls = []
    trunk.blocks[0].register_forward_hook(lambda *arguments: calls.append(arguments))
    trunk(torch.zeros(1, 3, dtype=torch.long))
    assert len(calls) == 1 and "forward" not in vars(trunk.blocks[0])


@pytest.mark.parametrize("outputs", [*BLOCK_SIZES, 3 * BLOCK_SIZES[-1], 50])
@pytest.mark.parametrize("shape", [(5,), (5, 2)])
def test_a_blocked_product_is_the_linear_map(outputs, shape):
    linear, x = nn.Linear(8, outputs), torch.randn(*shape, 8)
    with torch.inference_mode():
        y = linear_function(linear.weight, linear.bias, rows=5)(x)
        torch.testing.assert_close(y, linear(x), rtol=1e-5, atol=1e-6)
