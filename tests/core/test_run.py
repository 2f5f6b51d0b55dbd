"""The run folder: written whole or not at all, read without trust, moved, cut, and never a word lost."""

import errno
import json
import os
import pickle
import resource
import shutil
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from helpers.comparison import states_equal
from helpers.folders import file_names
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.optim import Adam

from caudex.core import disk
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.source import Source
from caudex.data import Batch
from caudex.signals import Labels
from caudex.trunks import MLP

WEIGHTS = {"trunk.weight": torch.arange(6.0).view(2, 3), "bias": torch.tensor([1, 2])}


class PointsSource(Source):
    """Points drawn from torch's own generator, which `fit` seeds anew for each step."""

    def __next__(self):
        points = torch.randn(16, 3)
        return Batch(points, (points[:, 0] > 0).long(), torch.arange(16))


def train_points(folder, steps, save_seconds=0.0):
    """A small training that saves after every step."""
    run = Run(folder, seed=4, hardware=Hardware(device="cpu", save_seconds=save_seconds))
    with run.seeded("weights"):
        learner = Learner(MLP(3, (200,), dropout=0.2), {"labels": Labels(2)}, partial(Adam, lr=0.01))
    return fit(learner, {"labels": PointsSource()}, steps=steps, run=run)


# -- files ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back(tmp_path):
    run = Run(tmp_path)
    run.write_json("spec", {"classes": ["Käfer", "ant"], "shape": [1, 8, 8], "nothing": None})
    assert run.read_json("spec") == {"classes": ["Käfer", "ant"], "shape": [1, 8, 8], "nothing": None}
    assert "Käfer" in (tmp_path / "spec.json").read_text()
    assert run.read_json("results") is None
    for other in ("null", "0", "[]", '""', "true"):  # neither what was written nor nothing
        (tmp_path / "spec.json").write_text(other)
        with pytest.raises(CaudexError, match=r"spec\.json is not as caudex wrote it"):
            run.read_json("spec")
    (tmp_path / "spec.json").write_text('{"classes": [')
    with pytest.raises(CaudexError, match=r"spec\.json is not readable JSON"):
        run.read_json("spec")


def test_tables_and_figures(tmp_path):
    run = Run(tmp_path)
    run.table("rounds", [{"round": 1, "accuracy": 0.5}, {"round": 2, "accuracy": 0.75}])
    assert (tmp_path / "tables" / "rounds.csv").read_text().split() == ["round,accuracy", "1,0.5", "2,0.75"]
    with run.figure("curve", columns=2) as axes:
        axes[1].plot([1, 2])
    assert (tmp_path / "figures" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_settings_are_read_back_and_other_formats_refused(tmp_path):
    run = Run(tmp_path)
    run.save_settings("supervised", {"lr": 0.1, "also": ["rotation"], "labels": None})
    assert run.settings() == {"system": "supervised", "settings": {"lr": 0.1, "also": ["rotation"], "labels": None}}
    file = tmp_path / "settings.json"
    settings = json.loads(file.read_text())
    assert settings["format"] == 2
    file.write_text(json.dumps(settings | {"format": 3}))
    with pytest.raises(CaudexError, match="written in run format 3; this caudex reads format 2"):
        run.settings()
    for damaged in (
        "",
        "just words",
        '{"format": 2}',
        '{"format": 2, "system": "a", "settings": 3}',
        "{",
        "[1]",
        "7",
        "null",
    ):
        file.write_text(damaged)
        with pytest.raises(CaudexError, match="damaged"):
            run.settings()
    with pytest.raises(CaudexError, match="is not a run folder"):
        Run(tmp_path / "elsewhere").settings()


def test_a_run_of_format_1_is_refused_unread(tmp_path):
    (tmp_path / "settings.yaml").write_text(f"system: !!python/object/apply:os.mkdir ['{tmp_path}/created']\n")
    with pytest.raises(CaudexError, match="written in run format 1; this caudex reads format 2"):
        Run(tmp_path).settings()
    assert not (tmp_path / "created").exists()


# -- metrics -------------------------------------------------------------------------------------------------------


def test_metrics_are_cut_back_and_lose_the_half_line_of_a_kill(tmp_path):
    run, logged = Run(tmp_path), [{}]
    for step in (1, 2, 3):
        run.log(step, {"loss": 1 / step})
        run.log_timing(step, {"seconds": step})
        logged.append(run.metrics_sizes())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [row["step"] for row in run.metrics()] == [1, 2, 3]
    for rows, left in ((3, 3), (1, 1), (3, 1), (0, 0)):  # nothing comes back
        run.truncate_metrics(logged[rows])
        assert [row["step"] for row in run.metrics()] == [1, 2, 3][:left]
        assert [row["step"] for row in run.metrics("timing.jsonl")] == [1, 2, 3][:left]
    assert Run(tmp_path / "nothing").metrics() == []


# -- seeds and stages ----------------------------------------------------------------------------------------------


def test_seeds_follow_from_names_and_not_from_order(tmp_path):
    run = Run(tmp_path, seed=3)
    student, teacher = run.stage("student").seed, run.stage("teacher").seed
    assert Run(tmp_path / "moved", seed=3).stage("teacher").seed == teacher != student
    assert Run(tmp_path, seed=4).stage("teacher").seed != teacher
    assert run.stage("a").stage("b").seed != run.stage("b").stage("a").seed
    assert run.stage("a").stage("b").path == tmp_path / "stages" / "a" / "stages" / "b"
    assert 0 <= derive_seed(0, "x") < 2**62
    torch.manual_seed(0)
    with run.seeded("weights"):
        one = torch.rand(3)
    after = torch.rand(1)
    with run.seeded("weights"):
        assert torch.equal(torch.rand(3), one)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), after)


def test_stages_share_one_account(tmp_path):
    run = Run(tmp_path, hardware=Hardware(price=2.0))
    net = torch.nn.Linear(7, 5)
    with run.stage("a").counting(net), torch.no_grad():
        net(torch.randn(3, 7))
    run.stage("b").stage("c").add_cost(90, 1800)
    assert run.compute.flops == 210 + 90
    assert run.compute.report()["cost"] == pytest.approx(1.0, rel=1e-2)


# -- checkpoints ---------------------------------------------------------------------------------------------------


KEYS = some.one_of(some.integers(-5, 300), some.text(max_size=6))

TENSORS = some.builds(
    lambda shape, dtype: (torch.rand(shape) * 3).to(dtype),
    some.lists(some.integers(0, 3), max_size=3),
    some.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
)

LEAVES = some.one_of(
    some.none(), some.booleans(), some.integers(-(2**70), 2**70), some.text(), TENSORS,
    some.floats(allow_nan=False), TENSORS.map(lambda tensor: tensor.t() if tensor.ndim == 2 else tensor),
)  # fmt: skip

STATES = some.recursive(
    LEAVES, lambda inner: some.one_of(some.lists(inner, max_size=3), some.dictionaries(KEYS, inner, max_size=3))
)


@given(some.dictionaries(KEYS, STATES, max_size=4))
@settings(max_examples=80, deadline=None)
def test_any_state_of_plain_values_and_tensors_comes_back(state):
    tensors = {}
    packed = json.loads(json.dumps(disk.pack_tensors(state, tensors)))
    from safetensors.torch import load

    assert states_equal(disk.unpack_tensors(packed, load(disk.serialize_tensors(tensors))), state)


def test_a_checkpoint_comes_back_and_replaces_older_ones(tmp_path):
    run = Run(tmp_path)
    assert run.load_checkpoint() is None
    state = {"drawn": 7, "optimizer": {"state": {0: {"exp_avg": torch.rand(2), "step": torch.tensor(3.0)}}}, "x": 0.1}
    for step in (9, 10, 10):
        run.save_checkpoint(step, WEIGHTS, state)
    assert [path.name for path in run.checkpoints] == file_names(tmp_path / "checkpoints") == ["10"]
    assert states_equal(run.load_checkpoint(), (10, WEIGHTS, state))


def test_as_many_checkpoints_stay_as_are_asked_for(tmp_path):
    run = Run(tmp_path, hardware=Hardware(keep=3))
    for step in (8, 9, 10, 100, 100, 101):
        run.save_checkpoint(step, WEIGHTS, {"drawn": step})
    assert [path.name for path in run.checkpoints] == ["10", "100", "101"]
    shutil.copytree(tmp_path / "checkpoints" / "101", tmp_path / "checkpoints" / ".102")  # killed as it was saved
    assert Run(tmp_path).load_checkpoint()[0] == 101
    shutil.rmtree(tmp_path / "checkpoints" / "101")
    assert Run(tmp_path).load_checkpoint()[2] == {"drawn": 100}
    Run(tmp_path).save_checkpoint(103, WEIGHTS, {})  # as before, one
    assert file_names(tmp_path / "checkpoints") == ["103"]


def test_weights_that_are_views_are_stored_by_themselves(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    Run(tmp_path).save_checkpoint(1, {"turned": base.t(), "row": base[1]}, {})
    _, weights, _ = Run(tmp_path).load_checkpoint()
    assert torch.equal(weights["turned"], base.t())
    assert torch.equal(weights["row"], base[1])


def test_what_a_killed_save_left_is_not_loaded_and_goes(tmp_path):
    run = Run(tmp_path)
    run.save_checkpoint(5, WEIGHTS, {})
    shutil.copytree(tmp_path / "checkpoints" / "5", tmp_path / "checkpoints" / ".6")
    (tmp_path / "checkpoints" / ".6" / "state.json").unlink()
    assert Run(tmp_path).load_checkpoint()[0] == 5
    run.save_checkpoint(7, WEIGHTS, {})
    assert file_names(tmp_path / "checkpoints") == ["7"]


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.999])
def test_one_changed_byte_is_noticed(tmp_path, file, where):
    run = Run(tmp_path)
    run.save_checkpoint(3, WEIGHTS, {"drawn": 5, "more": torch.rand(3)})
    path = tmp_path / "checkpoints" / "3" / file
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(CaudexError, match=r"checkpoints/3 was changed after it was written"):
        run.load_checkpoint()


@pytest.mark.parametrize("content", ["", "{}", "[]", "3", '{"hashes": {}, "state": 3, "step": 3}', "\udcff"])
def test_a_state_of_another_shape_is_refused(tmp_path, content):
    run = Run(tmp_path)
    run.save_checkpoint(3, WEIGHTS, {})
    (tmp_path / "checkpoints" / "3" / "state.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(CaudexError, match="was changed"):
        run.load_checkpoint()


def test_a_missing_part_or_another_number_is_noticed(tmp_path):
    run = Run(tmp_path)
    run.save_checkpoint(3, WEIGHTS, {})
    (tmp_path / "checkpoints" / "3").rename(tmp_path / "checkpoints" / "4")
    with pytest.raises(CaudexError, match="was changed"):
        run.load_checkpoint()
    (tmp_path / "checkpoints" / "4" / "weights.safetensors").unlink()
    with pytest.raises(CaudexError, match="was changed"):
        run.load_checkpoint()


def test_a_pickle_is_never_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    train_points(tmp_path / "run", 2)
    bomb = pickle.dumps(Bomb())
    for file in (tmp_path / "run" / "checkpoints" / "2").iterdir():
        file.write_bytes(bomb)
    (tmp_path / "run" / "finished.json").unlink()
    with pytest.raises(CaudexError, match="was changed"):
        train_points(tmp_path / "run", 2)
    assert not (tmp_path / "made").exists()


def test_weights_of_another_network_are_refused(tmp_path):
    train_points(tmp_path, 2)
    run = Run(tmp_path, seed=4)
    learner = Learner(MLP(3, (7,)), {"labels": Labels(2)})
    with pytest.raises(CaudexError, match=r"shape \(200, 3\) for trunk.layers.0.weight, this network \(7, 3\)"):
        fit(learner, {"labels": PointsSource()}, steps=2, run=run)


def test_a_run_folder_can_be_moved(tmp_path):
    undisturbed = train_points(tmp_path / "whole", 6).state_dict()
    train_points(tmp_path / "here", 6)
    (tmp_path / "there").mkdir()
    moved_folder = (tmp_path / "here").rename(tmp_path / "there" / "run")
    all_bytes = b"".join(
        file.read_bytes() for file in moved_folder.rglob("*") if file.is_file() and "events" not in file.name
    )
    assert str(tmp_path).encode() not in all_bytes  # nothing in it says where it lay
    loaded = train_points(moved_folder, 6).state_dict()
    assert states_equal(dict(loaded), dict(undisturbed))


# -- a full disk ---------------------------------------------------------------------------------------------------


@contextmanager
def largest_file(size):
    """The kernel refuses to let a file grow beyond it, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    run = Run(tmp_path)
    run.save_checkpoint(1, WEIGHTS, {"drawn": 1})
    with largest_file(10_000), pytest.raises(CaudexError) as caught:
        run.save_checkpoint(2, {"big": torch.zeros(100, 100)}, {"drawn": 2})
    assert str(caught.value) == (
        "could not write the checkpoint of step 2 (File too large); "
        f"the last good checkpoint is {tmp_path}/checkpoints/1. Make room and run `caudex resume {tmp_path}`."
    )
    assert file_names(tmp_path / "checkpoints") == ["1"]
    assert states_equal(run.load_checkpoint(), (1, WEIGHTS, {"drawn": 1}))


@pytest.mark.parametrize("call", range(6))
def test_no_moment_is_a_bad_one_for_the_disk_to_be_full(tmp_path, monkeypatch, call):
    """fsync is called for two tensor files, the state, the two folders: each may be the one that fails."""
    run, calls, real = Run(tmp_path), [], os.fsync
    run.save_checkpoint(1, WEIGHTS, {"drawn": 1})

    def full(handle):
        calls.append(handle)
        if len(calls) == call + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    try:
        run.save_checkpoint(2, WEIGHTS, {"drawn": 2})
    except CaudexError as error:
        assert "No space left on device" in str(error)
        assert call < 5
    else:
        assert call == 5
    monkeypatch.undo()
    step, _, state = run.load_checkpoint()
    assert state["drawn"] == step
    assert step == (1 if call < 4 else 2)


def test_training_on_a_full_disk_stops_with_a_sentence_and_goes_on_exactly(tmp_path):
    undisturbed = train_points(tmp_path / "whole", 8)
    train_points(tmp_path / "filled", 3)
    (tmp_path / "filled" / "finished.json").unlink()
    with largest_file(3_000), pytest.raises(CaudexError, match=r"could not write .*checkpoints/3\. Make room"):
        train_points(tmp_path / "filled", 8)
    assert [path.name for path in Run(tmp_path / "filled").checkpoints] == ["3"]
    resumed = train_points(tmp_path / "filled", 8)
    assert states_equal(dict(resumed.state_dict()), dict(undisturbed.state_dict()))
    assert Run(tmp_path / "filled").metrics()[-1] == Run(tmp_path / "whole").metrics()[-1]


def test_only_the_first_of_several_processes_writes(tmp_path, monkeypatch):
    assert Run(tmp_path).is_main_process
    monkeypatch.setenv("LOCAL_RANK", "1")
    run = Run(tmp_path / "run", hardware=Hardware(devices=2))
    assert not run.stage("a").is_main_process
    run.save_settings("supervised", {})
    run.stage("a").log(1, {"loss": 1.0})
    run.save_checkpoint(1, WEIGHTS, {})
    assert not (tmp_path / "run").exists()
    assert Run(tmp_path).is_main_process  # one process alone, whatever started it
