"""domain-confusion: from two small domains to a classifier, its report and its claim."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from helpers.trainings import train
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.system import load, system_at_scale
from caudex.systems.simulation.domain_confusion import BOUND, CONFUSION, SOURCE_ONLY, STATISTICS


@pytest.fixture(scope="module")
def two_domains(tmp_path_factory):
    """A bar stands or lies: clean on black in the source, on grey with noise in the target."""
    folder = tmp_path_factory.mktemp("domains")
    for name, seed, ground, noise in (("source", 0, 0, 5), ("target", 1, 80, 25)):
        generator = np.random.default_rng(seed)
        images, labels = np.full((80, 12, 12), float(ground)), np.arange(80) % 2
        for image, label in zip(images, labels):
            place = generator.integers(2, 9)
            (image if label else image.T)[place : place + 2] = 220
        images += generator.normal(0, noise, images.shape)
        np.savez(folder / f"{name}.npz", x=images.clip(0, 255).astype(np.uint8), y=np.array(["stands", "lies"])[labels])
    return {name: str(folder / f"{name}.npz") for name in ("source", "target")}


def tiny(domains, **settings):
    return replace(system_at_scale("domain-confusion", "tiny"), **{"steps": 12, "batch": 16} | domains | settings)


def test_a_run_has_all_arms_and_its_model_predicts(two_domains, tmp_path):
    model, run = train(tiny(two_domains), tmp_path / "run")
    results = run.read_json("results")
    assert list(results["arms"]) == [CONFUSION, SOURCE_ONLY, BOUND, STATISTICS]
    assert all(0 <= arm["accuracy"] <= 1 and arm["test_size"] == 16 for arm in results["arms"].values())
    assert 0 <= results["arms"][CONFUSION]["probe"] <= 1 and 0 <= results["arms"][CONFUSION]["discriminator"] <= 1
    flops = {name: run.stage(name).read_json("finished")["flops"] for name in ("domain-confusion", "source-only")}
    assert flops["source-only"] == pytest.approx(flops["domain-confusion"], rel=0.2)
    figures = {path.name for path in (run.path / "figures").iterdir()}
    assert {"domains.png", "accuracies.png", "domain-features.png"} <= figures
    images = torch.randint(0, 256, (3, 1, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(load(run.path).probabilities(images), model.probabilities(images))


def test_a_target_without_labels_is_learned_from_and_not_measured(two_domains, tmp_path):
    archive = np.load(two_domains["target"])
    np.savez(tmp_path / "unlabelled.npz", x=archive["x"])
    words = [f"--{name}={value}" for name, value in (two_domains | {"target": tmp_path / "unlabelled.npz"}).items()]
    output = run_cli("train", "domain-confusion", *words, "--scale", "tiny", "--steps", "6", "--batch", "16")
    assert "not measured" in output.out and "gap" not in output.out
    image = tmp_path / "image.png"
    Image.fromarray(archive["x"][0]).save(image)
    assert any(name in run_cli("predict", output.run, image).out for name in ("lies", "stands"))
    with pytest.raises(CaudexError, match="too few labels to measure with"):
        tiny(two_domains, target=str(tmp_path / "unlabelled.npz")).claim(Run(tmp_path / "claim"))


def test_the_labels_of_the_target_change_nothing_that_is_learned(two_domains, tmp_path):
    archive = np.load(two_domains["target"])
    swapped = np.where(archive["y"] == "lies", "stands", "lies")
    np.savez(tmp_path / "swapped.npz", x=archive["x"], y=swapped)
    domains = [
        tiny(two_domains).load(two_domains["source"]),
        tiny(two_domains, target=str(tmp_path / "swapped.npz")).load(two_domains["source"]),
    ]
    images = domains[0].target.train
    weights = []
    for number, labels in enumerate((images, replace(images, hidden_labels=1 - images.hidden_labels))):
        model = tiny(two_domains).fit_arm(Run(tmp_path / str(number), 0), domains[0].source, labels, steps=6)
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert (domains[1].target.train.labels == -1).all()


def test_each_domain_has_batch_statistics_of_its_own_unless_they_are_to_be_shared(two_domains, tmp_path):
    separate, shared = tiny(two_domains), tiny(two_domains, separate_statistics=False)
    domains = separate.load(two_domains["source"])
    model = separate.fit_arm(Run(tmp_path / "a", 0), domains.source, domains.target.train, steps=6)
    of_target = model.trunk.stages[0][0].norm1.running_mean.clone()
    separate.take_statistics(model, domains.source.labelled)
    assert not torch.allclose(model.trunk.stages[0][0].norm1.running_mean, of_target, atol=0.1)
    model = shared.fit_arm(Run(tmp_path / "b", 0), domains.source, domains.target.train, steps=6)
    of_both = model.trunk.stages[0][0].norm1.running_mean.clone()
    shared.take_statistics(model, domains.source.labelled)
    assert torch.equal(model.trunk.stages[0][0].norm1.running_mean, of_both)


def test_a_run_that_is_cut_off_ends_as_if_it_had_not_been(two_domains, tmp_path, monkeypatch):
    system, hardware = tiny(two_domains, bound=False), Hardware(device="cpu", save_seconds=0)
    models = []
    step, count = Learner.step, 0

    def step_or_die(learner, batches):
        nonlocal count
        count += 1
        if count == 9:
            raise KeyboardInterrupt
        return step(learner, batches)

    for name, dies in (("whole", False), ("cut", True)):
        run = Run(tmp_path / name, 0, hardware)
        run.quiet = True
        if dies:
            monkeypatch.setattr("caudex.core.fit.fit.__kwdefaults__", {**_fit_defaults(), "step": step_or_die})
            with pytest.raises(KeyboardInterrupt):
                system.train(run)
            monkeypatch.undo()
            run = Run(tmp_path / name, 0, hardware)
            run.quiet = True
            assert run.stage("domain-confusion").checkpoints
        models.append(
            (system.train(run).state_dict(), run.stage("domain-confusion").metrics(), run.read_json("results"))
        )
    (weights, metrics, results), (resumed, resumed_metrics, resumed_results) = models
    assert all(torch.equal(weights[name], resumed[name]) for name in weights)
    assert metrics == resumed_metrics and results == resumed_results


def _fit_defaults():
    from caudex.core.fit import fit

    return fit.__kwdefaults__


def test_the_claim_has_the_arms_of_random_looks_where_there_are_some(two_domains, tmp_path):
    run = Run(tmp_path / "plain", 0)
    run.quiet = True
    claim = tiny(two_domains).claim(run)
    assert list(claim.baselines) == [SOURCE_ONLY, STATISTICS, BOUND]
    archive = np.load(two_domains["source"])
    labels = np.where(np.arange(80) < 6, "leans", archive["y"])
    np.savez(tmp_path / "other.npz", x=archive["x"], y=labels)
    with pytest.raises(CaudexError, match="has not the classes of"):
        tiny(two_domains, random_source=str(tmp_path / "other.npz")).claim(Run(tmp_path / "other", 0))
    run = Run(tmp_path / "random", 0)
    run.quiet = True
    claim = tiny(two_domains, random_source=two_domains["source"]).claim(run)
    assert list(claim.baselines)[2:4] == ["randomised looks", "randomised looks and domain confusion"]
    assert claim.controls == {"one class for all": 0.5}


@pytest.mark.parametrize(
    "words, because",
    [
        (("--target", "digitz"), "Did you mean digits?"),
        (("--kind", "dann"), "choose gradient-reversal, uniform, inverted"),
        (("--strength", "-1"), "--strength -1 is out of range"),
        (("--layer", "stage7"), "stage7"),
        (("--source", "digits"), "also stand in the target"),
        (("--source", "empty"), "empty has no image"),
        (("--target", "empty"), "empty has no image"),
        (("--source", "flat"), "images but no labels"),
        (("--target", "animals"), "has a class 'cat' that the source has not"),
        (("--also", "rotation"), "which this system has not"),
        (("--labels", "few.csv"), "goes with a folder of images"),
        (("--trunk", "efficientnet-lite0"), "pretrained"),
    ],
)
def test_bad_input_is_refused_by_one_sentence(tmp_path, words, because):
    (tmp_path / "empty").mkdir()
    for folder in ("flat", "animals/cat", "animals/dog"):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(3):
            noise = np.random.default_rng(i + len(folder)).integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / folder / f"{i}.png")
    assert_refused("train", "domain-confusion", "--scale", "tiny", *words, because=because)
