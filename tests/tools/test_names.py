"""The linter of names refuses old ones in their scope, and nothing else."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "tools" / "names.py"
spec = importlib.util.spec_from_file_location("names", FILE)
names = importlib.util.module_from_spec(spec)
spec.loader.exec_module(names)


@pytest.mark.parametrize(
    "path, text, lines",
    [
        ("src/caudex/x.py", "class Taught: ...", ["src/caudex/x.py:1: class 'Taught': say SignalOutput"]),
        ("tests/test_x.py", "def f(world): ...", ["tests/test_x.py:1: parameter 'world': say env"]),
        ("src/caudex/systems/a.py", "class A:\n    returns: int = 3", ["src/caudex/systems/a.py:2: field 'returns': say n_step"]),
        ("src/caudex/experience/a.py", "class A:\n    returns: int = 3", []),  # a rollout's returns are the field's
        ("src/caudex/data/a.py", "def f():\n    start = 0", []),
        ("src/caudex/systems/few_labels/a.py", "class A:\n    start: str = ''", []),  # --start RUN
        ("src/caudex/systems/reward/a.py", "class A:\n    start: int = 0", ["src/caudex/systems/reward/a.py:2: field 'start': say learning_starts"]),
        ("src/caudex/core/a.py", "self.cut = 3", ["src/caudex/core/a.py:1: attribute 'cut': say truncate_metrics, or what is cut"]),
        ("src/caudex/core/a.py", "found = 1", ["src/caudex/core/a.py:1: local 'found': say a name that says what it is"]),
        ("tests/a.py", "found = 1", []),
        ("src/caudex/core/a.py", "x = found.told(its=1)", []),  # other people's names may be called
    ],
)  # fmt: skip
def test_what_is_refused(path, text, lines):
    assert names.refused(path, text) == lines


def test_one_name_for_two_definitions_is_refused():
    texts = {
        "a.py": "class Gain: ...\nSIZE = 3\ndef _part(): ...\nclass Rotation: ...",
        "b.py": "Gain = float\nSIZE = 4\ndef _part(): ...\nclass Rotation: ...\nimport Gain",
        "c.py": "from a import Gain\ndef f():\n    Gain = 3",
    }
    assert names.defined_twice(texts) == ["'Gain' is defined in a.py, b.py: say them apart"]
