"""The analysis: a video or picture in, an analysis folder out.

    file → frames → faces → people → crops → emotion scores → tables

Each stage hands the next one record. Pictures and crops are forgotten once they are classified, and rows go to disk in
parts; only at the end, when all pictures are gone, some columns of the table are read for the summary. The folder is
built as ``<out>.tmp`` and renamed when it is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from fer_core.errors import InputError, StoreError
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.models.runtime import fastest
from fer_core.progress import OnProgress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video.modes import Settings, check_mode
from fer_core.video.reader import VideoReader
from fer_core.video.record import write_record
from fer_core.video.run import Run
from fer_core.video.scan import one_thread_each

Checkpoint = str | Path | Classifier


def analyze(
    source: str | Path,
    out: str | Path,
    *,
    checkpoint: Checkpoint | Sequence[Checkpoint] = DEFAULT_CHECKPOINT,
    settings: Settings = Settings(),
    device: str = "auto",
    name: str | None = None,
    progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Analyse a video or picture and write an analysis folder.

    Args:
        source: the file.
        out: the folder to write; must not hold anything yet.
        checkpoint: name, folder or a loaded classifier; or several, of which the first fills the timeline. Decoding,
            detection, tracking and equal crops are done once for all.
        settings: what to analyse.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        name: what the source is called in the results, by default its file name.
        progress: called about twice a second, with frames, faces and seconds of video so far.
        should_stop: asked after every frame; when it says yes, what was analysed so far is kept as an incomplete
            analysis (``complete`` is false in ``analysis.json``).

    Returns:
        ``out``, with ``scores/<checkpoint>.parquet``, ``features.parquet``, ``timeline.parquet``,
        ``timeline.csv``, ``crops/`` and ``analysis.json``; where people are recognised by their faces also
        ``people.json`` and ``descriptors.parquet``.

    Raises:
        VideoError, CheckpointError, InputError: the input cannot be used; nothing is left behind.
        StoreError: ``out`` is taken.
        Cancelled: stopped before the first frame was analysed.
    """
    source, out = Path(source), Path(out).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} already exists and is not empty; choose another folder or remove it.")
    check_mode(settings.mode)
    temporary = out.with_name(out.name + ".tmp")
    if temporary.exists() and not any((temporary / name).exists() for name in ("parts", "timeline.parquet")):
        raise StoreError(f"{temporary} is in the way and no unfinished analysis; remove it or choose another folder.")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with one_thread_each(), VideoReader(source, name=name or source.name) as reader:
            scores = _scores(checkpoint, device)
            (temporary / "parts").mkdir(parents=True)
            run = Run(reader, scores, settings, temporary, progress, should_stop or (lambda: False))
            run.go()
            write_record(temporary, run, reader.name)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def _scores(checkpoint: Checkpoint | Sequence[Checkpoint], device: str) -> list[EmotionScores]:
    wanted = [checkpoint] if isinstance(checkpoint, str | Path | Classifier) else list(checkpoint)
    loaded = [each if isinstance(each, Classifier) else load(each, device=device) for each in wanted]
    names = [classifier.name for classifier in loaded]
    if not names or len(set(names)) < len(names):
        raise InputError(f"Expected one or more models of different names, got {', '.join(names) or 'none'}.")
    return [EmotionScores(*fastest(classifier)) for classifier in loaded]


__all__ = ["Settings", "analyze"]
