"""Things to act in."""

from caudex.worlds.making import make, names, register, with_camera, without_camera
from caudex.worlds.world import Outcome, World, described

__all__ = ["Outcome", "World", "described", "make", "names", "register", "with_camera", "without_camera"]
