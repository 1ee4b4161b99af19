"""Faces of a camera while it runs, by the parts that analyse videos; nothing of it is stored."""

MAX_BYTES = 2_000_000
"""Of one picture that a browser sends."""
