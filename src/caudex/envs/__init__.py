"""Things to act in."""

from caudex.envs.env import Env, Outcome, anything, described
from caudex.envs.registry import make, names, register, with_camera, without_camera

__all__ = ["Env", "Outcome", "anything", "described", "make", "names", "register", "with_camera", "without_camera"]
