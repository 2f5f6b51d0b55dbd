"""A package of somebody's that is installed, as far as entry points know."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caudex.core.registry import class_paths, plugin_paths


@contextmanager
def installed_plugin(folder: Path, modules: dict[str, str], points: dict[str, dict[str, str]]) -> Iterator[None]:
    """Modules by their dotted names, and entry points by group and name; none of it is imported here."""
    for name, source in modules.items():
        file = Path(folder, *name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    metadata = folder / "plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    sections = (
        "\n".join([f"[{group}]", *(f"{name} = {place}" for name, place in rows.items())])
        for group, rows in points.items()
    )
    (metadata / "entry_points.txt").write_text("\n".join(sections))
    sys.path.insert(0, str(folder))
    forget_imports()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        forget_imports()
        packages = {name.partition(".")[0] for name in modules}
        for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
            del sys.modules[name]


def forget_imports() -> None:
    importlib.invalidate_caches()
    class_paths.cache_clear()
    plugin_paths.cache_clear()
