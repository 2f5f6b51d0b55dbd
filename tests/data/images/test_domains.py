"""A source and a target in one size, in one number of channels, with one order of classes; and what is refused."""

import numpy as np
import pytest
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.data import load_domains


def make_folder(path, classes, count=24, mode="L", side=20, seed=0):
    generator = np.random.default_rng(seed)
    for name in classes:
        (path / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            shape = (side, side, 3) if mode == "RGB" else (side, side)
            Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(path / name / f"{seed}-{i}.png")
    return str(path)


def test_the_target_has_no_labels_to_learn_from_and_the_classes_of_the_source(tmp_path):
    source = make_folder(tmp_path / "source", ["a", "b", "c"])
    target = make_folder(tmp_path / "target", ["b", "c"], side=32, seed=1)
    domains = load_domains(source, target)
    assert domains.target.train.shape == domains.source.labelled.shape
    assert (domains.target.train.labels == -1).all()
    assert domains.target.test.classes == domains.source.labelled.classes == ("a", "b", "c")
    labels = domains.target.labelled.labels
    assert sorted(labels.unique().tolist()) == [1, 2]
    names = [domains.target.labelled.name(i) for i in range(len(labels))]
    assert [("b" if "/b/" in name else "c") for name in names] == ["abc"[k] for k in labels]


def test_unlabelled_targets_are_learned_from_and_not_tested_on(tmp_path):
    source = make_folder(tmp_path / "source", ["a", "b"])
    target = make_folder(tmp_path / "target", ["."], seed=1)
    domains = load_domains(source, target)
    assert len(domains.target.train) == 24 and len(domains.target.test) == len(domains.target.labelled) == 0


@pytest.mark.parametrize("source_mode, target_mode", [("L", "RGB"), ("RGB", "L")])
def test_where_one_is_in_colour_both_are(tmp_path, source_mode, target_mode):
    source = make_folder(tmp_path / "source", ["a", "b"], mode=source_mode)
    target = make_folder(tmp_path / "target", ["a", "b"], mode=target_mode, side=40, seed=1)
    domains = load_domains(source, target)
    grey = domains.source if source_mode == "L" else domains.target
    assert domains.source.labelled.shape == domains.target.train.shape == (3, 40, 40)
    pixels = grey.train.fetch(slice(None))
    assert (pixels == pixels[:, :1]).all()


def test_what_cannot_be_learned_or_measured_is_refused(tmp_path):
    source = make_folder(tmp_path / "source", ["a", "b"])
    other = make_folder(tmp_path / "other", ["a", "zebra"], seed=1)
    with pytest.raises(CaudexError, match="has a class 'zebra' that the source has not; its classes are a, b"):
        load_domains(source, other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaudexError, match="empty has no image"):
        load_domains(source, str(tmp_path / "empty"))
    with pytest.raises(CaudexError, match="empty has no image"):
        load_domains(str(tmp_path / "empty"), source)
    few = make_folder(tmp_path / "few", ["."], count=19, seed=4)
    with pytest.raises(CaudexError, match=r"few has 19 images to learn from; .* fewer than 20 of each"):
        load_domains(source, few)
    flat = make_folder(tmp_path / "flat", ["."], seed=2)
    with pytest.raises(CaudexError, match="images but no labels"):
        load_domains(flat, source)
    both = make_folder(tmp_path / "both", ["a", "b"], seed=3)
    (tmp_path / "both" / "a" / "copy.png").write_bytes((tmp_path / "source" / "b" / "0-3.png").read_bytes())
    with pytest.raises(
        CaudexError,
        match=r"1 images of the source also stand in the target, for example .*source/b/0-3.png as .*copy.png",
    ):
        load_domains(source, both)
