"""onnxruntime computes the features of a frozen encoder, or torch does and says why."""

import pytest
import torch
from torch import nn

from caudex.data import stream_encoder
from caudex.data.feature_cache import features_folder
from caudex.data.images import fastest_encoder as module
from caudex.data.images.decode import ImageFormat
from caudex.data.images.encoding import describe_features
from caudex.data.images.fastest_encoder import fastest_encoder
from caudex.trunks import EfficientNetLite, FrozenEncoder, ResNet50

SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    trunk = EfficientNetLite()
    for norm in trunk.modules():
        if isinstance(norm, nn.BatchNorm2d):  # as after a training, else features vanish
            norm.running_var.fill_(0.3)
    return FrozenEncoder(trunk, tuned_blocks=0)


@pytest.fixture(scope="module")
def folder(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    assert fastest_encoder(encoder, SHAPE, folder, module.MIN_IMAGES) is not encoder
    return folder


def images(count, seed=1):
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 5, 32])
def test_features_are_those_of_torch(encoder, folder, count):
    encode = fastest_encoder(encoder, SHAPE, folder, count)
    features, expected = encode(images(count)), encoder(images(count))
    assert encode is not encoder and expected.std() > 0
    assert torch.allclose(features, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_few_images_are_not_worth_an_export(encoder, tmp_path):
    assert fastest_encoder(encoder, SHAPE, tmp_path, module.MIN_IMAGES - 1) is encoder
    assert not list(tmp_path.iterdir())


def test_a_stream_is_encoded_by_what_the_cache_has(encoder, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    image_format = ImageFormat(SHAPE)
    assert stream_encoder(image_format, encoder, 3) is None and not list(tmp_path.iterdir())
    features = features_folder(describe_features(image_format, encoder), encoder)
    features.mkdir(parents=True)
    (features / "encoder.onnx").write_bytes((folder / "encoder.onnx").read_bytes())
    encode = stream_encoder(image_format, encoder, 3)
    assert torch.allclose(encode(images(3)), encoder(images(3)), rtol=1e-3, atol=1e-3)


def test_a_stream_makes_its_place_in_a_new_cache(encoder, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    content = (folder / "encoder.onnx").read_bytes()
    monkeypatch.setattr(module, "onnx_bytes", lambda *_: content)
    assert stream_encoder(ImageFormat(SHAPE), encoder, module.MIN_IMAGES) is not None
    assert next(tmp_path.rglob("encoder.onnx")).read_bytes() == content


def test_a_trunk_of_others_is_computed_by_torch(tmp_path):
    class Means(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

    means = Means()
    assert fastest_encoder(means, SHAPE, tmp_path, 10_000) is means
    assert FrozenEncoder(ResNet50()).runs_in_onnx


@pytest.mark.parametrize("content", [b"", b"no network", "half", "other"])
def test_a_spoilt_file_is_not_used_and_made_anew(encoder, folder, tmp_path, content, capsys):
    whole = (folder / "encoder.onnx").read_bytes()
    if content == "half":
        content = whole[: len(whole) // 2]
    elif content == "other":  # the weights of the last convolution are not those
        content = whole[:-200_000] + bytes(100_000) + whole[-100_000:]
    (tmp_path / "encoder.onnx").write_bytes(content)
    assert fastest_encoder(encoder, SHAPE, tmp_path, 10_000) is encoder
    assert "onnxruntime cannot encode these images (" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_the_packages_a_line_says_what_they_are_worth(encoder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "can_run_onnx", lambda: False)
    assert fastest_encoder(encoder, SHAPE, tmp_path, 10_000) is encoder
    assert "pip install 'caudex[export]'" in capsys.readouterr().err
