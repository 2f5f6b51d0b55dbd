"""Weights in torchvision's layout: what our ResNet-50 computes with them is what transformers' computes."""

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file

from caudex.core.errors import CaudexError
from caudex.trunks import ResNet50
from caudex.trunks.resnet50_weights import load_resnet50_weights

DEPTHS = (1, 2, 1, 1)


def random_norm(name, channels):
    return {
        f"{name}.weight": torch.rand(channels) + 0.5, f"{name}.bias": torch.randn(channels) / 10,
        f"{name}.running_mean": torch.randn(channels) / 10, f"{name}.running_var": torch.rand(channels) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }  # fmt: skip


def random_conv(name, outputs, inputs, kernel):
    return {f"{name}.weight": torch.randn(outputs, inputs, kernel, kernel) / (inputs * kernel**2) ** 0.5}


def torchvision_weights(first=8):
    """The keys and shapes of torchvision's resnet50, with `first` channels and fewer blocks."""
    weights = random_conv("conv1", first, 3, 7) | random_norm("bn1", first)
    inputs = first
    for stage, depth in enumerate(DEPTHS):
        inner = first * 2**stage
        for block in range(depth):
            name = f"layer{stage + 1}.{block}"
            weights |= random_conv(f"{name}.conv1", inner, inputs, 1) | random_norm(f"{name}.bn1", inner)
            weights |= random_conv(f"{name}.conv2", inner, inner, 3) | random_norm(f"{name}.bn2", inner)
            weights |= random_conv(f"{name}.conv3", 4 * inner, inner, 1) | random_norm(f"{name}.bn3", 4 * inner)
            if block == 0:
                weights |= random_conv(f"{name}.downsample.0", 4 * inner, inputs, 1)
                weights |= random_norm(f"{name}.downsample.1", 4 * inner)
            inputs = 4 * inner
    return weights | {"fc.weight": torch.randn(10, inputs), "fc.bias": torch.randn(10)}


def transformers_name(key):
    """layer1.0.conv2.weight is encoder.stages.0.layers.0.layer.1.convolution.weight in transformers."""
    parts = key.split(".")
    if parts[0] in ("conv1", "bn1"):
        part = {"conv1": "convolution", "bn1": "normalization"}[parts[0]]
        return f"embedder.embedder.{part}.{parts[1]}"
    place = f"encoder.stages.{int(parts[0][-1]) - 1}.layers.{parts[1]}"
    if parts[2] == "downsample":
        part = ("convolution", "normalization")[int(parts[3])]
        return f"{place}.shortcut.{part}.{parts[4]}"
    part = "convolution" if parts[2].startswith("conv") else "normalization"
    return f"{place}.layer.{int(parts[2][-1]) - 1}.{part}.{parts[3]}"


def transformers_resnet(weights, first=8):
    sizes = [4 * first * 2**stage for stage in range(4)]
    config = transformers.ResNetConfig(embedding_size=first, hidden_sizes=sizes, depths=DEPTHS)
    network = transformers.ResNetModel(config).eval()
    network.load_state_dict({transformers_name(key): w for key, w in weights.items() if not key.startswith("fc")})
    return network


def tiny_trunk(**settings):
    return ResNet50(**{"multiplier": 1 / 8, "depths": DEPTHS, **settings}).eval()


@torch.no_grad()
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_features_are_those_of_transformers_resnet(suffix):
    weights, file = torchvision_weights(), Path(f"resnet.{suffix}")
    save_file(weights, file) if suffix == "safetensors" else torch.save(weights, file)
    trunk = tiny_trunk()
    assert len(load_resnet50_weights(trunk, file)) == 64
    images = torch.randint(0, 256, (2, 3, 96, 75), dtype=torch.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    output = transformers_resnet(weights)((images / 255 - mean) / std)
    features = trunk(images)
    torch.testing.assert_close(features.pooled, output.pooler_output.flatten(1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(features.layers["stage4"], output.last_hidden_state, rtol=1e-4, atol=1e-4)


def test_the_oldest_files_have_no_counts_of_batches():
    weights = {key: w for key, w in torchvision_weights().items() if "num_batches" not in key}
    save_file(weights, "old.safetensors")
    trunk = tiny_trunk()
    load_resnet50_weights(trunk, Path("old.safetensors"))
    assert torch.equal(trunk.stages[1][1].branch[3].weight, weights["layer2.1.conv2.weight"])


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"layer3.0.conv1.weight": None}, {}, r"layer3\.0\.conv1\.weight is missing"),
        ({"layer3.6.conv1.weight": torch.ones(3)}, {}, r"layer3\.6\.conv1\.weight has no place"),
        ({"module.conv1.weight": torch.ones(3)}, {}, r"module\.conv1\.weight has no place"),
        ({"layer1.0.conv2.weight": torch.ones(8, 8, 1, 1)}, {}, r"conv2\.weight is \(8, 8, 1, 1\) and not \(8, 8, 3, 3\)"),
        ({}, {"small_images": True}, r"conv1\.weight is \(8, 3, 7, 7\) and not \(8, 3, 3, 3\); give the weights of that network"),
        ({}, {"channels": 1}, r"conv1\.weight is \(8, 3, 7, 7\) and not \(8, 1, 7, 7\)"),
        ({}, {"depths": (1, 2, 2, 1)}, r"layer3\.1\.conv1\.weight is missing"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_refused_by_the_first_key(change, settings, message):
    weights = {key: w for key, w in (torchvision_weights() | change).items() if w is not None}
    save_file(weights, "other.safetensors")
    trunk = tiny_trunk(**settings)
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
    with pytest.raises(CaudexError, match=message):
        load_resnet50_weights(trunk, Path("other.safetensors"))
    assert all(torch.equal(before[name], tensor) for name, tensor in trunk.state_dict().items())


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def test_pickled_code_and_damaged_files_are_refused():
    torch.save(torchvision_weights() | {"trap": Trap()}, "trap.pth")
    with pytest.raises(CaudexError, match="holds more than tensors"):
        load_resnet50_weights(tiny_trunk(), Path("trap.pth"))
    assert not Path("trapped").exists()
    Path("cut.safetensors").write_bytes(b"xxxxxxxxxxxx")
    with pytest.raises(CaudexError, match="is damaged"):
        load_resnet50_weights(tiny_trunk(), Path("cut.safetensors"))
    with pytest.raises(CaudexError, match=r"there is no file nothing\.pth"):
        load_resnet50_weights(tiny_trunk(), Path("nothing.pth"))
