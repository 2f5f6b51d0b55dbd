"""Things to act in."""

from caudex.envs.env import Outcome, World, anything, described
from caudex.envs.registry import make, names, register, with_camera, without_camera

__all__ = ["Outcome", "World", "anything", "described", "make", "names", "register", "with_camera", "without_camera"]
