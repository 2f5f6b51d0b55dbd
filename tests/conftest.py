"""One thread: results are compared bit for bit, and the machine is shared."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _same_start():
    """What a test draws does not depend on the tests before it."""
    torch.manual_seed(0)
