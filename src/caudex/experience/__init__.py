"""Sources that act."""

from caudex.experience.acting import Acting, Lived
from caudex.experience.returns import Scale, gae
from caudex.experience.rollouts import Rollout, Rollouts

__all__ = ["Acting", "Lived", "Rollout", "Rollouts", "Scale", "gae"]
