"""Environments to act in."""

from caudex.envs.env import Env, NoImagesError, Policy, TimeStep, best_choices, describe_spaces, random_policy
from caudex.envs.objects import is_object, is_single, name_env, temporary_name
from caudex.envs.registry import camera_env_name, env_names, join_env_name, make, register_envs, state_env_name

__all__ = [
    "Env", "NoImagesError", "Policy", "TimeStep", "best_choices", "camera_env_name", "describe_spaces", "env_names", "is_object", "is_single",
    "join_env_name", "make", "name_env", "random_policy", "register_envs", "state_env_name", "temporary_name",
]  # fmt: skip
