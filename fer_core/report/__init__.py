"""Reports to hand on: a page that opens offline, its methods, an archive, and a notice for those who are filmed."""

FRAMES = ("blurred", "plain", "none")
"""How faces are shown in key frames, the default first; ``none``: no key frames at all."""
