"""Specs are read back as they were written, and refuse what no run writes."""

import pytest

from caudex.core.errors import CaudexError
from caudex.core.specs import EnvSpec
from caudex.core.typed_json import decode_json

SPEC = '{"env": "tasks", "shape": [3], "actions": {"count": 2}, "sizes": %s}'


def test_sizes_of_tasks_have_any_names():
    sizes = {"pulls": 5, "size": "large", "a size of another package": 1.5, "offset": -3}
    spec = decode_json((SPEC % str(sizes).replace("'", '"')).encode(), EnvSpec, "spec.json")
    assert spec.sizes == sizes and isinstance(spec.sizes["pulls"], int)


@pytest.mark.parametrize(
    "sizes",
    [
        '{"arms": 1000000000}', '{"arms": 1e30}', f'{{"arms": 1{"0" * 30}}}', '{"arms": -1e9}', '{"arms": NaN}', '{"arms": Infinity}',
        '{"arms": null}', '{"arms": true}', '{"arms": [5]}', "[5]", f'{{"{"a" * 101}": 1}}', f'{{"size": "{"a" * 101}"}}',
        "{" + ", ".join(f'"{i}": 1' for i in range(101)) + "}",
    ],
)  # fmt: skip
def test_sizes_of_tasks_have_limits(sizes):
    with pytest.raises(CaudexError, match=r"spec\.json is not as caudex wrote it"):
        decode_json((SPEC % sizes).encode(), EnvSpec, "spec.json")
