"""Data and runs that tests of several families share. No test changes them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.trainings import train

from caudex.core.system import system_at_scale


@pytest.fixture(scope="session")
def coloured_shapes(tmp_path_factory):
    """Two classes of coloured images: a bright disc, reddish, and a bar, bluish; 80 of each."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:16, :16]
    images, labels = [], []
    for i in range(160):
        cx, cy = generator.uniform(5, 11, 2)
        shape = (x - cx) ** 2 + (y - cy) ** 2 < 12 if i % 2 else abs(x - cx) < 1.5
        tint = np.array([220, 120, 90] if i % 2 else [80, 120, 220])
        image = 40 + shape[..., None] * (tint - 40) + generator.normal(0, 12, (16, 16, 3))
        images.append(image.clip(0, 255))
        labels.append(i % 2)
    path = tmp_path_factory.mktemp("data") / "shapes.npz"
    np.savez(path, x=np.array(images, dtype=np.uint8), y=np.array(labels))
    return str(path)


@pytest.fixture(scope="session")
def simclr_run(coloured_shapes, tmp_path_factory):
    path = tmp_path_factory.mktemp("begun") / "run"
    train(replace(system_at_scale("simclr", "tiny"), data=coloured_shapes, steps=6, batch=16, width=8), path)
    return str(path)
