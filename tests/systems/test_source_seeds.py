"""Two sources of one fit never share a seed: they would share order and augmentations."""

import pytest

from caudex.core.run import Run
from caudex.core.system import system_at_scale
from caudex.data import Join


class Stop(Exception):
    """Raised in place of training."""


def leaf_sources(sources) -> list:
    """Each distinct source; of joined ones the parts."""
    distinct = {id(source): source for source in sources.values()}.values()
    return [part for source in distinct for part in (source.sources if isinstance(source, Join) else [source])]


@pytest.mark.parametrize(
    "name, also",
    [
        ("supervised", ("rotation", "contrast")),
        ("two-heads", ("contrast",)),
        ("noisy-student", ("rotation",)),
        ("simclr", ("rotation",)),
        ("rotation", ("contrast",)),
    ],
)
def test_no_two_sources_of_a_fit_share_a_seed(name, also, tmp_path, monkeypatch):
    fits = []

    def record(learner, sources, *, run, **budget):
        fits.append(leaf_sources(sources))
        if name != "noisy-student" or "student" in run.name:
            raise Stop
        return learner.eval()

    family = "pretraining" if name in ("simclr", "rotation") else "few_labels"
    monkeypatch.setattr(f"caudex.systems.{family}.shared.fit", record)
    system = system_at_scale(name, "tiny")
    system.also = also
    with pytest.raises(Stop):
        system.train(Run(tmp_path / "run"))
    seeds = [source.seed for source in fits[-1]]
    assert len(seeds) == len(set(seeds)) > 1
