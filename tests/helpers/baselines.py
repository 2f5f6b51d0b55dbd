"""What was published of baselines."""

import numpy as np


def assert_means_agree(found, published, count=1000):
    """Whether samples have a mean within three standard errors of that of `count` others of the same spread."""
    error = found.std() * np.sqrt(1 / len(found) + 1 / count)
    assert abs(found.mean() - published) < 3 * error + 0.05, (
        found.mean(),
        published,
        error,
    )  # printed with one decimal
