"""Metrics also go to a logger. Those of wandb and mlflow are tested where their packages are: wandb without a network,
mlflow in a folder; everywhere, through Fabric's interface, with its CSVLogger."""

import csv

import pytest
from helpers.folders import file_names
from lightning_fabric.loggers import CSVLogger
from torch.nn import Linear

from caudex.core import hardware, loggers
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.learner import Learner
from caudex.core.metrics_buffer import MetricsBuffer
from caudex.core.run import Run
from caudex.core.signal import SignalOutput
from caudex.core.training_state import TrainingState
from caudex.core.trunk import Wrapped


def log_rows(folder, log, losses=(0.5, 0.25)):
    run = Run(folder, hardware=Hardware(log=log))
    if not (run.path / "settings.json").exists():
        run.write_json("settings", {"format": 2, "system": "ppo", "settings": {"lr": 0.5, "env": "CartPole-v1"}})
    state = TrainingState([])
    buffer = MetricsBuffer(Learner(Wrapped(Linear(2, 2), width=2), {}), state, run.stage("training"))
    for state.step, loss in enumerate(losses, 50):
        state.seconds = 1.0
        buffer.add({"policy": SignalOutput(loss, {})})
        buffer.flush()
    buffer.close()
    return run.stage("training")


def test_tensorboard_is_the_default_and_none_writes_nothing(tmp_path):
    assert Hardware().log == "tensorboard"
    assert len(file_names(log_rows(tmp_path / "plots", "tensorboard").path / "tensorboard")) == 1
    stage = log_rows(tmp_path / "none", "none")
    assert sorted(file_names(stage.path)) == ["metrics.jsonl", "timing.jsonl"]


def test_rows_go_through_the_interface_of_fabric(tmp_path, monkeypatch):
    logger = CSVLogger(tmp_path / "csv", name="", version="")
    monkeypatch.setattr(loggers, "open_logger", lambda run, step: logger)
    log_rows(tmp_path / "run", "wandb")
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = [(row["step"], row["policy/loss"]) for row in csv.DictReader(file)]
    assert rows == [("50", "0.5"), ("51", "0.25")]


def test_a_logger_that_fails_stops_no_training(tmp_path, monkeypatch):
    class Away:
        def log_metrics(self, row, step):
            raise ConnectionError

        def finalize(self, status):
            pass

    monkeypatch.setattr(loggers, "open_logger", lambda run, step: Away())
    assert len(log_rows(tmp_path, "mlflow").metrics()) == 2


def test_an_unknown_logger_and_a_missing_package_are_refused_in_one_sentence(monkeypatch):
    with pytest.raises(CaudexError, match=r"^--log comet is unknown; choose tensorboard, wandb, mlflow, none\.$"):
        Hardware(log="comet").check()
    monkeypatch.setattr(hardware, "find_spec", lambda name: None)
    with pytest.raises(CaudexError, match=r"^--log wandb needs the package wandb: pip install 'caudex\[wandb\]'.$"):
        Hardware(log="wandb").check()
    Hardware().check()


@pytest.mark.parametrize("log", ["wandb", "mlflow"])
def test_a_logger_that_cannot_begin_says_so(log, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError("no account")

    monkeypatch.setattr(loggers, {"wandb": "WandbLogger", "mlflow": "MLflowLogger"}[log], refuse)
    with pytest.raises(
        CaudexError, match=rf"^--log {log} cannot begin \(no account\); set {log} up, or leave it out\.$"
    ):
        log_rows(tmp_path, log)


def test_wandb_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    stage = log_rows(tmp_path / "run", "wandb")
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert folder.name.endswith(stage.read_json("log")["id"])
    assert next(folder.glob("*.wandb")).stat().st_size > 0


def test_mlflow_in_a_folder_goes_on_after_a_kill(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "store"))
    for losses in ((0.5,), (0.5, 0.25)):
        stage = log_rows(tmp_path / "run", "mlflow", losses)
    run = mlflow.MlflowClient().get_run(stage.read_json("log")["id"])
    assert (run.info.run_name, run.data.params["lr"], run.data.metrics["policy/loss"]) == ("run/training", "0.5", 0.25)
