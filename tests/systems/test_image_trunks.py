"""Which trunk `--trunk` stands for, and that its weights are those that a run names."""

import hashlib

import pytest
import torch
from helpers.photos import write_photos
from helpers.trainings import quiet_run

from caudex.core import fetch
from caudex.core.errors import CaudexError
from caudex.core.system import load, save_model, write_settings
from caudex.core.trust import UntrustedName
from caudex.data import PACKAGED_IMAGES, Batch
from caudex.systems.few_labels.noisy_student import NoisyStudent
from caudex.systems.few_labels.supervised import Supervised
from caudex.systems.few_labels.two_heads import TwoHeads
from caudex.systems.image_trunks import _open_kind, check_trunk, pin_trunk, resolve_trunk, split_name
from caudex.systems.pretraining.simclr import SimCLR
from caudex.systems.shared import image_spec
from caudex.trunks import ResNet50
from caudex.trunks.resnet50_weights import torchvision_name

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def test_auto_is_pretrained_for_colour_images_of_ones_own(tmp_path):
    photos = write_photos(tmp_path / "photos")
    assert resolve_trunk("auto", str(photos), None) == f"efficientnet-lite0@{SHA256}"
    for name in PACKAGED_IMAGES:
        assert resolve_trunk("auto", name, None) == "small"
    assert resolve_trunk("small", str(photos), None) == "small"
    assert resolve_trunk("efficientnet-lite0", "digits", None) == f"efficientnet-lite0@{SHA256}"


def test_auto_reads_labels_as_the_target_says(tmp_path):
    photos = write_photos(tmp_path / "photos")
    table = tmp_path / "prices.csv"
    files = sorted(path.relative_to(photos) for path in (photos / "labelled").rglob("*.*"))
    table.write_text("path,price\n" + "".join(f"{file},3\n" for file in files))
    with pytest.raises(CaudexError, match=r"price.* the same number, 3, for every image"):
        Supervised(data=str(photos), labels=str(table), target="number:price").resolve()


def test_without_a_network_a_small_net_is_taken_and_one_line_says_so(tmp_path, monkeypatch, capsys):
    photos = write_photos(tmp_path / "photos")
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "_pip_command", lambda archive, folder: ["false"])
    _open_kind.cache_clear()
    assert resolve_trunk("auto", str(photos), None) == "small"
    (_, line) = capsys.readouterr().err.splitlines()
    assert "cannot be fetched" in line and line.endswith("Now a small network learns from your images alone.")
    with pytest.raises(CaudexError, match="cannot be fetched"):  # who asks for it by name gets no other
        resolve_trunk("efficientnet-lite0", str(photos), None)


def test_other_weights_than_those_of_the_run_are_refused():
    assert split_name(pin_trunk("efficientnet-lite0")) == ("efficientnet-lite0", SHA256)
    assert pin_trunk(f"efficientnet-lite0@{SHA256[:8]}") == f"efficientnet-lite0@{SHA256}"
    with pytest.raises(CaudexError, match="the weights of efficientnet-lite0 now have the SHA-256 57934424"):
        pin_trunk("efficientnet-lite0@0123456789")


def test_unknown_trunks_are_refused_and_the_nearest_is_named():
    with pytest.raises(CaudexError, match=r"--trunk efficientnet-lite is unknown. Did you mean efficientnet-lite0\?"):
        check_trunk("efficientnet-lite", pretrained=True)
    with pytest.raises(CaudexError, match="--finetune 2 is for pretrained trunks"):
        Supervised(trunk="small", finetune=2).check()


def test_a_strangers_run_names_no_weights_to_take():
    with pytest.raises(CaudexError, match="would take the pretrained weights hf:evil/net"):
        pin_trunk(UntrustedName("hf:evil/net@0123456789abcdef", "run"))


@pytest.mark.parametrize(("finetune", "steps"), [(0, 20), (1, 4)])
def test_heads_learn_on_a_pretrained_trunk_and_the_run_opens_without_it(tmp_path, monkeypatch, finetune, steps):
    photos = write_photos(tmp_path / "photos", labelled=6, unlabelled=12, test=4)
    system = NoisyStudent(
        data=str(photos),
        trunk="efficientnet-lite0",
        size=64,
        steps=steps,
        rounds=1,
        finetune=finetune,
        calibrate=False,
        seed=3,
    )
    run = quiet_run(tmp_path / "run", 3)
    system = write_settings(system, run)
    assert system.trunk == f"efficientnet-lite0@{SHA256}"
    classifier = system.train(run)
    save_model(classifier, run)
    results = system.read_results(run)
    assert results["noisy-student"]["accuracy"] > 0.6  # balls and bars
    assert "logistic regression" in results and "corrupted" not in results["noisy-student"]
    assert system.result_rows(results)
    monkeypatch.setattr("caudex.systems.image_trunks._open_kind", lambda kind: pytest.fail("weights are fetched"))
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(load(tmp_path / "run").probabilities(images), classifier.probabilities(images))


@pytest.mark.parametrize("signals", [("rotation:0.5",), ("contrast:0.5",)])
def test_free_signals_teach_the_last_blocks(tmp_path, signals):
    photos = write_photos(tmp_path / "photos", labelled=6, unlabelled=4, test=2)
    system = TwoHeads(
        data=str(photos), size=64, steps=2, batch=4, finetune=2, also=signals, calibrate=False, magnitude=0.0
    )
    run = quiet_run(tmp_path / "run")
    system = write_settings(system, run)
    assert system.trunk == f"efficientnet-lite0@{SHA256}"
    split = system.load_split()
    learner = system.learner(image_spec(split), encoder=split.encoder).train()
    signal, weight = learner.signals[signals[0].split(":")[0]], learner.trunk.blocks[0].layers[0].conv.weight
    images = split.labelled.fetch(slice(0, 4)).float() / 255
    signal.loss(learner.trunk, Batch(images, None, torch.arange(4), other_images=images.flip(3))).loss.backward()
    assert weight.grad.abs().sum() > 0
    frozen = split.encoder.state_dict()
    before = {name: tensor.clone() for name, tensor in frozen.items()}
    classifier = system.train(run)
    assert all(torch.equal(tensor, before[name]) for name, tensor in frozen.items())
    assert not torch.equal(classifier.trunk.blocks[0].layers[0].conv.weight, weight)
    assert 0 <= system.read_results(run)["two-heads"]["accuracy"] <= 1


def test_a_frozen_trunk_cannot_learn_from_a_free_signal(tmp_path, capsys):
    photos = write_photos(tmp_path / "photos")
    system = TwoHeads(data=str(photos))
    assert system.resolve().trunk == "small"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "caudex: for --also rotation:0.5 a small network learns from your images alone; --finetune 2"
    )
    with pytest.raises(CaudexError, match=r"--also jigsaw: efficientnet-lite0 stays frozen .*; add --finetune 2"):
        NoisyStudent(data=str(photos), trunk="efficientnet-lite0", also=("labels:colour", "jigsaw")).resolve()
    assert Supervised(data=str(photos), also=("labels:colour",)).resolve().trunk == f"efficientnet-lite0@{SHA256}"


@pytest.mark.parametrize("signal", ["jigsaw", "inpainting", "colorization", "denoising"])
def test_a_signal_that_needs_more_than_pooled_features_is_refused_before_images_are_encoded(
    tmp_path, signal, monkeypatch
):
    photos = write_photos(tmp_path / "photos")
    monkeypatch.setattr("caudex.data.encode_split", lambda *_: pytest.fail("images are encoded"))
    system = Supervised(data=str(photos), finetune=2, also=(signal,)).resolve()
    with pytest.raises(CaudexError, match=r"FeatureTrunk .*--trunk small.*Rotation and contrast learn on every trunk"):
        system.load_split()


def test_systems_that_begin_at_random_say_where_a_pretrained_trunk_learns():
    for name in ("efficientnet-lite0", "hf:facebook/dinov2-small", "models/dino"):
        with pytest.raises(
            CaudexError, match=f"--trunk {name} is pretrained, and this system begins .* --also contrast"
        ):
            SimCLR(trunk=name).check()
    with pytest.raises(CaudexError, match=r"--trunk smal is unknown. Did you mean small\? Choose small or resnet50"):
        SimCLR(trunk="smal").check()


def test_resnet50_with_a_file_of_weights_is_a_pretrained_trunk(tmp_path):
    trunk = ResNet50()
    for norm in (module for module in trunk.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.0)  # a new block hands on its shortcut alone
    file = tmp_path / "resnet50.pth"
    torch.save({torchvision_name(name): w for name, w in trunk.state_dict().items() if "standardise" not in name}, file)
    photos = write_photos(tmp_path / "photos")
    system = Supervised(data=str(photos), trunk=f"resnet50:{file}", size=32, steps=2, finetune=1, calibrate=False)
    run = quiet_run(tmp_path / "run")
    system = write_settings(system, run)
    assert split_name(system.trunk) == (f"resnet50:{file}", hashlib.sha256(file.read_bytes()).hexdigest())
    classifier = system.train(run)
    save_model(classifier, run)
    file.unlink()  # a finished run needs it no more
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    assert torch.equal(load(run.path)(images), classifier(images))
    with pytest.raises(CaudexError, match="there is no file"):
        pin_trunk(f"resnet50:{file}.other")
