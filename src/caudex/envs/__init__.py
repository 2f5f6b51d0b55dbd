"""Environments to act in."""

from caudex.envs.env import Env, Policy, TimeStep, describe_spaces, random_policy
from caudex.envs.registry import camera_env_name, env_names, make, register_envs, state_env_name

__all__ = [
    "Env", "Policy", "TimeStep", "camera_env_name", "describe_spaces", "env_names", "make", "random_policy",
    "register_envs", "state_env_name",
]  # fmt: skip
