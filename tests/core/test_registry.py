"""Names of systems and signals, also those of others' packages."""

import sys

import pytest
from helpers.command_line import run_cli
from helpers.plugins import installed_plugin

from caudex.core import registry

SYSTEM = '''
raise SystemExit("imported")

class Sorter:
    """Sorts shells by their colours.

    And more.
    """
'''
SIGNAL = '''
class Shells:
    """Which shell is it?"""
    needs = "pairs"
'''


@pytest.fixture
def plugin(tmp_path):
    modules = {
        "shore.__init__": "from shore.signals.shells import Shells",
        "shore.sorter": SYSTEM,
        "shore.signals.shells": SIGNAL,
        "shore.broken": "import nothing_like_it",
    }
    points = {
        "caudex.systems": {"sorter": "shore.sorter:Sorter [extra]", "broken": "shore.broken:Broken"},
        "caudex.signals": {"shells": "shore.signals.shells:Shells", "other-shells": "shore:Shells"},
    }
    with installed_plugin(tmp_path / "site", modules, points):
        yield


def test_descriptions_of_others_are_read_without_importing_them(plugin):
    assert registry.class_paths("systems")["sorter"] == "shore.sorter:Sorter"
    assert registry.docstring_summary("systems", "sorter") == "Sorts shells by their colours."
    assert registry.docstring_summary("signals", "shells") == "Which shell is it?"
    assert registry.signal_needs("shells") == "pairs"
    assert "shore" not in sys.modules


def test_what_another_module_defines_is_imported_for_its_description(plugin):
    assert registry.docstring_summary("signals", "other-shells") == "Which shell is it?"
    assert registry.signal_needs("other-shells") == "pairs"
    assert (
        registry.docstring_summary("systems", "broken")
        == "cannot be imported: ModuleNotFoundError: No module named 'nothing_like_it'"
    )


def test_the_list_has_the_descriptions(plugin, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    output = run_cli("list").out
    for words in ("Sorts shells by their colours.", "Which shell is it?", "cannot be imported"):
        assert words in output


def test_the_source_of_a_module_is_found_without_importing_it():
    assert registry.module_file("caudex.core.registry") == registry.PACKAGE / "core/registry.py"
    assert registry.module_file("email.mime.text").name == "text.py"
    for name in ("sys", "math", "caudex.core.nothing", "json.nothing.further", "nothing"):
        assert registry.module_file(name) is None
