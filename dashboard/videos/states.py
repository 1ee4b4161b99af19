"""What has become of an analysis, in a line."""

from __future__ import annotations

from dashboard.components.frame import clock
from dashboard.services import jobs
from dashboard.services.reached import reached
from fer_core.video.store import Analysis


def stopped(analysis: Analysis) -> str:
    """``Stopped at 0:16 of 1:58 (14 %)``, or that the file itself ended there, or the program over it; empty of one
    that is complete."""
    if analysis.record["complete"]:
        return ""
    found = reached(analysis.record)
    from_s, at_s, of_s = (float(found[name]) for name in ("from_s", "at_s", "of_s"))
    share = min(max((at_s - from_s) / max(of_s - from_s, 1e-9), 0.0), 1.0)
    what = "The file ends early:" if found["file_ended"] else "Stopped at"
    job = jobs.get(analysis.id)
    what = "The program ended twice after" if job is not None and "crashed" in job.info else what
    return f"{what} {clock(at_s)} of {clock(of_s)} ({100 * share:.0f} %)"
