"""The examples of the pages that train and act from Python, run as they stand but, of agents, for less training."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {page: (ROOT / page).read_text() for page in ("README.md", "docs/envs.md")}
EXAMPLES = [
    pytest.param(block, id=page)
    for page, text in PAGES.items()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    if "caudex.train(" in block
]


def test_each_page_has_one():
    assert [example.id for example in EXAMPLES] == list(PAGES)


@pytest.mark.parametrize("block", EXAMPLES)
def test_an_example_runs(block, capsys):
    assert len(block.splitlines()) <= 13
    small = "total_steps=600, scale='tiny', learning_starts=100, threads=1"
    small = small if '"dqn"' in block else small.replace(" learning_starts=100,", "")
    exec(re.sub(r"total_steps=[\d_]+", small, block), {})
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("runs/") for line in lines) and float(lines[-1]) >= 0


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", (ROOT / "docs/scikit-learn.md").read_text(), re.DOTALL)
)
def test_an_example_of_the_estimator_runs(block, capsys):
    exec(block, {})
    assert capsys.readouterr().out
