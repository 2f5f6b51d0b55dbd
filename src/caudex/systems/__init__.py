"""Whole methods under their published names; one file each, found by its name."""
