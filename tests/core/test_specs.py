"""Specs are read back as they were written, and refuse what no run writes."""

import pytest

from caudex.core.errors import CaudexError
from caudex.core.specs import EnvSpec, ImageSpec
from caudex.core.typed_json import decode_json

SPEC = '{"env": "tasks", "shape": [3], "actions": {"count": 2}, "sizes": %s}'


@pytest.mark.parametrize(
    "content", ['{"shape": [1, 1000000, 16]}', '{"shape": [1, 16]}', '{"shape": [1, 8, 8], "classes": ["a", "a"]}', '{"shape": [1, 8, 8], "classes": ["a"]}']
)  # fmt: skip
def test_images_have_sides_that_can_be_asked_for_and_classes_that_differ(content):
    assert decode_json(b'{"shape": [1, 4096, 8], "classes": ["a", "b", "b"]}', ImageSpec, "spec.json").shape[1] == 4096
    assert decode_json(b'{"shape": [1, 8, 8]}', ImageSpec, "spec.json").classes == ()
    with pytest.raises(CaudexError, match=r"spec\.json is not as caudex wrote it"):
        decode_json(content.encode(), ImageSpec, "spec.json")


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
