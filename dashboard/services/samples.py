"""The bundled sample clip."""

from __future__ import annotations

from pathlib import Path

from dashboard.services import defaults, kinds, queues, uploads
from fer_core.models.folders import DEFAULT_CHECKPOINT, runnable_names

SAMPLE = Path(__file__).parents[1] / "sample" / "sample.mp4"


def start() -> str:
    """Analyse the sample with the default settings; returns the job's id."""
    job = uploads.add_copy(SAMPLE, "Sample.mp4")
    chosen = defaults.kept() | {"checkpoint": [defaults.first_checkpoint(runnable_names() or [DEFAULT_CHECKPOINT])]}
    queues.start(job.id, kinds.AnalyzeRequest.from_json(chosen))
    return job.id
