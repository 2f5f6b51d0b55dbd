"""Small trainings of whole systems, as tests need them."""

from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import save_model, write_settings


def quiet_run(path, seed=0) -> Run:
    run = Run(path, seed, Hardware(device="cpu"))
    run.quiet = True
    return run


def train(system, path):
    """The model and its run, finished as the command line does it."""
    run = quiet_run(path, system.seed)
    system.check()
    write_settings(system, run)
    model = system.train(run)
    save_model(model, run)
    return model, run
