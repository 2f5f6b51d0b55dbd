"""Models of a tiny language that tests of several systems share. No test changes them."""

import csv
import random

import pytest
from helpers.command_line import run_cli
from helpers.stories import ANIMALS, QUICK, story

from caudex.core.errors import CaudexError


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def stories_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("read")
    (path / "stories").mkdir()
    for number in range(60):
        (path / "stories" / f"{number:02}.txt").write_text(story(number) + "\n")
    with (path / "reviews.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "mood"])
        for number in range(120):
            name = random.Random(number).choice(list(ANIMALS))
            mood = "round" if name in ("cat", "dog", "hen") else "square"
            rows.writerow([f"The {name} sat on the {ANIMALS[name]} again, number {number}.", mood])
    return path


@pytest.fixture(scope="session")
def gpt_run(stories_folder):
    words = ("--data", stories_folder / "stories", "--vocab-size", "400", "--steps", "500", "--lr", "0.005", *QUICK)
    run_cli("train", "gpt", *words, "--run", stories_folder / "gpt")
    return stories_folder / "gpt"


def refuse_to_fetch(run):
    raise CaudexError("there is no network.")


@pytest.fixture(scope="session", autouse=True)
def _no_minilm():
    """Nothing is fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caudex.systems.text.frozen_texts.load_encoder", refuse_to_fetch)
        yield
