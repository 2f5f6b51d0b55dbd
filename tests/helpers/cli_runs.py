"""Trainings by the command line that are over in seconds, and what breaks them off."""

import time

SMALL = ("--scale", "tiny", "--threads", "1")
TRAIN = ("train", "supervised", *SMALL)
QUICK = (*SMALL, "--steps", "6", "--width", "4")
DIGITS = (*TRAIN, "--labels-per-class", "1", "--width", "4")


def wait_until(until, process, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not until():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()  # lest it goes on beside all other tests
            raise AssertionError(process.communicate())
        time.sleep(0.01)
