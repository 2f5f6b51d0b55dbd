"""Things to act in."""

from caudex.worlds.making import make, names
from caudex.worlds.world import Outcome, World

__all__ = ["Outcome", "World", "make", "names"]
