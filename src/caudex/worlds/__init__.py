"""Things to act in."""

from caudex.worlds.making import make, names, register, with_camera, without_camera
from caudex.worlds.world import Outcome, World, anything, described

__all__ = ["Outcome", "World", "anything", "described", "make", "names", "register", "with_camera", "without_camera"]
