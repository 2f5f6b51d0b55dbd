"""Where metrics go besides metrics.jsonl: Lightning Fabric's logger for TensorBoard, and two of the same kind."""

from __future__ import annotations

import os
import time
from typing import Any

from lightning_fabric.loggers import TensorBoardLogger
from lightning_fabric.loggers.logger import Logger
from msgspec import Struct

from caudex.core.errors import CaudexError, short_message
from caudex.core.run import Run

PROJECT = "caudex"
"""of wandb and mlflow, where their own environment variables name none"""


class LogRecord(Struct):
    """log.json of a fit: what it is called where its metrics go, so that a resumed run goes on there."""

    id: str


def open_logger(run: Run, step: int) -> Logger | None:
    """The logger of `Hardware.log`. Raises CaudexError where it cannot begin, as without an account."""
    kind = run.hardware.log
    if kind == "none":
        return None
    if kind == "tensorboard":  # what an earlier try wrote from `step` on does not count
        run.folder.make_folder("tensorboard")
        return TensorBoardLogger(run.path, name="tensorboard", version="", purge_step=step)
    saved = run.read_struct("log", LogRecord)
    try:
        logger = {"wandb": WandbLogger, "mlflow": MLflowLogger}[kind](run_title(run), saved and saved.id)
        logger.log_hyperparams((run.main.read_json("settings") or {}).get("settings", {}))
    except Exception as error:  # of every kind: no account, no server, ...
        raise CaudexError(
            f"--log {kind} cannot begin ({short_message(error)}); set {kind} up, or leave it out."
        ) from None
    run.write_struct("log", LogRecord(logger.version))
    return logger


def run_title(run: Run) -> str:
    """ppo-1/training"""
    names = run.path.relative_to(run.root).parts
    return "/".join([run.root.absolute().name, *(name for name in names if name != "stages")])


class WandbLogger(Logger):
    """Weights & Biases; WANDB_PROJECT, WANDB_MODE=offline and its other variables hold."""

    def __init__(self, title: str, earlier_id: str | None):
        import wandb

        project = os.environ.get("WANDB_PROJECT", PROJECT)
        self.run = wandb.init(project=project, name=title, id=earlier_id, resume="allow", reinit="create_new")

    @property
    def name(self) -> str:
        return self.run.project

    @property
    def version(self) -> str:
        return self.run.id

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.run.log(metrics, step=step)

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        self.run.config.update(params, allow_val_change=True)

    def finalize(self, status: str) -> None:
        self.run.finish()


class MLflowLogger(Logger):
    """MLflow; MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME and its other variables hold."""

    def __init__(self, title: str, earlier_id: str | None):
        from mlflow import MlflowClient

        self.client, self.project = MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self.client.get_experiment_by_name(self.project)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(self.project)
        self.id = earlier_id or self.client.create_run(experiment_id, run_name=title).info.run_id

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str:
        return self.id

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        self.client.log_batch(self.id, [Metric(name, figure, now, step) for name, figure in metrics.items()])

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        for name, value in params.items():
            self.client.log_param(self.id, name, value)

    def finalize(self, status: str) -> None:
        self.client.set_terminated(self.id)
