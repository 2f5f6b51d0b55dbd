"""What was published of baselines."""

import numpy as np


def assert_means_agree(samples, published, count=1000):
    """Whether samples have a mean within three standard errors of that of `count` others of the same spread."""
    error = samples.std() * np.sqrt(1 / len(samples) + 1 / count)
    assert abs(samples.mean() - published) < 3 * error + 0.05, (
        samples.mean(),
        published,
        error,
    )  # printed with one decimal
