"""caudex: one trunk, many heads."""

__version__ = "0.1.0"
