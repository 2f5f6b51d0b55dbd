"""Any module can be a trunk."""

import pytest
import torch
from torch import nn

from caudex.core.errors import CaudexError
from caudex.core.trunk import Wrapped, width_of
from caudex.trunks import Identity


def test_any_module_can_be_a_trunk():
    assert Wrapped(nn.Linear(3, 5), width=5)(torch.randn(2, 3)).pooled.shape == (2, 5)
    with pytest.raises(CaudexError, match=r"returned shape \(2, 5\), but its width was given as 4"):
        Wrapped(nn.Linear(3, 5), width=4)(torch.randn(2, 3))
    with pytest.raises(CaudexError, match=r"Linear has no feature size; use trunks\.Wrapped"):
        width_of(nn.Linear(3, 5))
    x = torch.randn(2, 3)
    assert Identity(3)(x).pooled is x
