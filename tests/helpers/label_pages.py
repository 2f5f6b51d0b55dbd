"""The page of labels, with images to label."""

import re
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from caudex.serve.app import create_app
from caudex.serve.label_page import label_routes
from caudex.serve.labelling import Labelling, open_labelling
from helpers.image_files import save_image

ADDRESS = "http://127.0.0.1:8000"


def write_images(folder: Path, *names: str, side: int = 8) -> Path:
    for level, name in enumerate(names):
        save_image(folder / name, np.full((side, side, 3), 20 * level, dtype=np.uint8))
    return folder


def open_page(folder: Path, classes=("cat", "dog"), **files) -> tuple[TestClient, Labelling]:
    """A client that sends what the page would send: of the right host, with the token."""
    labelling, _ = open_labelling(folder, classes=classes, **files)
    client = TestClient(create_app(label_routes(labelling, folder), 8000), ADDRESS, raise_server_exceptions=False)
    (token,) = re.findall(r'name="caudex-token" content="([^"]+)"', client.get("/").text)
    client.headers |= {"x-caudex-token": token, "origin": ADDRESS}
    return client, labelling


def post_label(client: TestClient, number: int, label: str, previous: str = "", **options):
    return client.post("/labels", json={"number": number, "label": label, "previous": previous, **options})
