"""What scores faces: every signal says which columns it gives and computes them, and tables, documents, exports and
pages learn of it by themselves. ``docs/developing.md`` shows how to add one."""

from fer_core.signals.base import SIGNALS, Seen, Signal, measured, register, viewed
from fer_core.signals.column import Column
from fer_core.signals.pose import POSE, head_pose
from fer_core.signals.quality import QUALITY
from fer_core.signals.valence import VALENCE

__all__ = [
    "POSE",
    "QUALITY",
    "SIGNALS",
    "VALENCE",
    "Column",
    "Seen",
    "Signal",
    "head_pose",
    "measured",
    "register",
    "viewed",
]
