"""Small trainings of whole systems, as tests need them."""

from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import finish, start


def quiet_run(path, seed=0) -> Run:
    run = Run(path, seed, Hardware(device="cpu"))
    run.quiet = True
    return run


def train(system, path):
    """The model and its run, finished as the command line does it."""
    run = quiet_run(path, system.seed)
    system.check()
    start(system, run)
    model = system.train(run)
    finish(model, run)
    return model, run
