"""One thread: results are compared bit for bit, and the machine is shared. Each test runs in an empty folder of its own."""

import hypothesis
import pytest
import torch

from caudex.core.fetch import cache_folder

pytest.register_assert_rewrite("helpers")
torch.set_num_threads(1)
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory):
    """The secret that signs runs is not the developer's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAUDEX_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _cache_folder(tmp_path_factory):
    """What is fetched, and the texts read from it, stay in the developer's cache; what tests make does not go there."""
    own, cache = tmp_path_factory.mktemp("cache"), cache_folder()
    for name in ("archives", "texts"):
        (cache / name).mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(cache / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAUDEX_CACHE", str(own))
        yield


@pytest.fixture(autouse=True)
def _seed_torch():
    """What a test draws does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _run_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
