"""What is exported as ONNX says its classes and what an image needs; the example of the page gives the classes of predict."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from helpers.command_line import run_cli
from helpers.photos import write_photos
from helpers.public_models import write_public_folder
from PIL import Image

from caudex import data, signals, trunks
from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.core.system import load
from caudex.models.encoder import Encoder
from caudex.models.image_classifier import ImageClassifier

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
ONNX_EXAMPLE, TRANSFORMERS_EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[::2]


def test_the_example_of_the_page_gives_the_classes_of_predict(tmp_path):
    photos = write_photos(tmp_path / "photos")
    for file in (photos / "labelled").glob("*/001.jpg"):
        Image.open(file).resize((200, 170)).save(file.with_stem("large"))
    words = ("--data", photos, "--steps", 60, "--width", 4, "--depth", 1, "--size", 16, "--batch", 8, "--threads", 1)
    run = run_cli("train", "supervised", *words, "--run", tmp_path / "run").run
    run_cli("export", run, "--to", tmp_path / "out")
    files = sorted(map(str, photos.rglob("*.*")))
    run_cli("predict", run, "--csv", "classes.csv", *files)
    expected = [f"{row['file']} {row['class']}" for row in csv.DictReader(Path("classes.csv").read_text().splitlines())]
    blocked = "import sys; sys.modules.update(dict.fromkeys(['torch', 'caudex', 'onnx', 'onnxscript']))\n"
    command = [sys.executable, "-c", blocked + ONNX_EXAMPLE, *files]
    completed = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=True)
    assert completed.stdout.splitlines() == expected
    assert len({line.rsplit(" ")[-1] for line in expected}) == 2
    assert len(ONNX_EXAMPLE.splitlines()) <= 13


@pytest.mark.parametrize("channels", [1, 3])
def test_classes_and_preprocessing_are_in_the_file_and_beside_it(channels, tmp_path):
    spec = ImageSpec((channels, 12, 16), ("Apfel", "Birne ü"), pixel_range=(0.0, 4095.0), pad=True)
    learner = Learner(trunks.Conv(channels=channels), {"labels": signals.Labels(2)})
    model = ImageClassifier(learner, spec).eval()
    model.temperature.fill_(0.1)
    files = model.export(tmp_path)
    assert [file.name for file in files] == ["model.onnx", "model.safetensors", "classes.json"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    metadata = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
    assert metadata == json.loads((tmp_path / "classes.json").read_text())
    assert metadata["preprocessing"]["pixel_range"] == [0, 4095]
    assert metadata["preprocessing"]["padding"] == [124, 116, 104] and "pad" in metadata["preprocessing"]["resize"]
    assert metadata["classes"] == ["Apfel", "Birne ü"]
    assert (metadata["preprocessing"]["width"], metadata["preprocessing"]["height"]) == (16, 12)
    assert metadata["preprocessing"]["mode"] == ("L" if channels == 1 else "RGB")
    for count in (1, 3):
        images = torch.randint(0, 256, (count, *spec.shape), dtype=torch.uint8)
        (probabilities,) = session.run(None, {"images": images.numpy()})
        np.testing.assert_allclose(probabilities, model.probabilities(images).numpy(), atol=1e-5)


def test_an_encoder_says_what_an_image_needs_and_has_no_classes(tmp_path):
    images = data.load_images("digits").labelled.fetch(slice(0, 3))
    learner = Learner(trunks.ResNet(channels=1, width=4, depth=1), {"rotation": signals.Rotation()})
    model = Encoder(learner, ImageSpec(tuple(images.shape[1:]))).eval()
    assert [file.name for file in model.export(tmp_path)] == ["model.onnx", "model.safetensors"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert list(session.get_modelmeta().custom_metadata_map) == ["preprocessing"]
    (features,) = session.run(None, {"images": images.numpy()})
    np.testing.assert_allclose(features, model.features(images)["pooled"].numpy(), atol=1e-4)


def test_the_example_for_transformers_goes_on_with_a_text(tmp_path, capsys):
    write_public_folder(tmp_path / "theirs", "gpt2", n_positions=64)
    run = run_cli("import", tmp_path / "theirs", "--run", tmp_path / "run").run
    run_cli("export", run, "--to", "mine")
    exec(TRANSFORMERS_EXAMPLE, {})
    greedy = "".join(part for (part,) in load(run).generate("The cat", 40, temperature=0))
    assert capsys.readouterr().out.strip("\ufffd\n") == "The cat" + greedy
