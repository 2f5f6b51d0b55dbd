"""docs/mistakes.md: every test that it names exists, and every row names one or says that there is none."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = [line for line in (ROOT / "docs/mistakes.md").read_text().splitlines() if line.startswith("| ")]
GUARD = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_row_has_four_cells_and_names_tests_or_none():
    rows = [row.strip("| ").split(" | ") for row in ROWS if not row.startswith("| mistake |")]
    assert len(rows) > 100
    for row in rows:
        assert len(row) == 4 and (row[3] == "no test" or GUARD.sub("", row[3]).strip(", ") == ""), row
    mistakes = [row[0] for row in rows]
    assert len(set(mistakes)) == len(mistakes)


def test_every_test_that_is_named_exists():
    names = {}
    for file, name in GUARD.findall("\n".join(ROWS)):
        names.setdefault(file, set()).add(name)
    for file, named in names.items():
        body = ast.parse((ROOT / file).read_text()).body
        assert named <= {node.name for node in body if isinstance(node, ast.FunctionDef)}, file
