"""One thread: results are compared bit for bit, and the machine is shared. Each test runs in an empty folder of its own."""

import hypothesis
import pytest
import torch

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


@pytest.fixture(autouse=True)
def _seed_torch():
    """What a test draws does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _run_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
