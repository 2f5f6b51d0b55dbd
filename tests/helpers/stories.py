"""A tiny language: what an animal does is always the same."""

import random

ANIMALS = {"cat": "mat", "dog": "log", "hen": "pen", "fox": "box", "mouse": "house", "goat": "boat"}

QUICK = ("--threads", "1", "--context", "40", "--width", "32", "--depth", "2", "--heads", "2", "--batch", "16")


def story(number: int) -> str:
    """What an animal does is always the same: whoever knows the animal knows the end of the sentence."""
    rng = random.Random(number)
    names = [rng.choice(list(ANIMALS)) for _ in range(12)]
    return " ".join(f"The {name} sat on the {ANIMALS[name]}." for name in names)
