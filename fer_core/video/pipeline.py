"""The analysis: a video or picture in, an analysis folder out.

    file → frames → faces → people → crops → emotion scores → tables

Each stage hands the next one record. Pictures and crops are forgotten once they are classified, and rows go to disk in
parts; only at the end, when all pictures are gone, some columns of the table are read for the summary. The folder is
built as ``<out>.tmp`` and renamed when it is whole.

What was analysed before something broke off is kept. Where the source cannot be read any further, or the disk takes no
more, that is an incomplete analysis; where not even that can be written, ``<out>.unfinished``, which no run touches.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from fer_core.errors import InputError, StoreError, sentence
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.models.runtime import fastest
from fer_core.progress import OnProgress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.modes import Settings, check_mode
from fer_core.video.opening import readable
from fer_core.video.reader import VideoReader
from fer_core.video.record import write_record
from fer_core.video.run import Run
from fer_core.video.scan import one_thread_each

Checkpoint = str | Path | Classifier
UNFINISHED = ".unfinished"
"""How the name of a folder ends that holds what was analysed when nothing more could be written."""


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
        StoreError: ``out`` is taken, or cannot be written; the message says where what was analysed is kept.
        Cancelled: stopped before the first frame was analysed.
    """
    source, out = Path(source), Path(out).absolute()
    check_mode(settings.mode)
    stops = should_stop or (lambda: False)
    temporary = _beside(out, ".tmp")
    _check_free(out, temporary)
    try:
        with one_thread_each(), VideoReader(source, name=name or source.name, track=settings.track) as reader:
            scores = _scores(checkpoint, device)
            (temporary / "parts").mkdir(parents=True)
            fingerprint = Fingerprint.of(source, reader.name, lambda: not stops())
            run = Run(reader, scores, settings, temporary, fingerprint, progress, stops)
            run.go()
            write_record(temporary, run, reader.name)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise StoreError(_kept(temporary, out, error)) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return out


def _check_free(out: Path, temporary: Path) -> None:
    """Make sure that the folder can be taken; what a process that died left of an earlier try is removed."""
    if readable(out.name) != out.name:
        raise StoreError(f"{readable(str(out))} is no name that can be written down; choose another folder.")
    try:
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {sentence(error)} Choose another folder.") from error
    if taken:
        raise StoreError(f"{out} already exists and is not empty; choose another folder or remove it.")
    if temporary.exists() and not any((temporary / name).exists() for name in ("parts", "timeline.parquet")):
        raise StoreError(f"{temporary} is in the way and no unfinished analysis; remove it or choose another folder.")
    shutil.rmtree(temporary, ignore_errors=True)


def _beside(out: Path, ending: str) -> Path:
    """``out`` with an ending, its name cut where it would be too long for a file system."""
    return out.with_name(os.fsencode(out.name)[: 255 - len(ending)].decode("utf-8", "ignore") + ending)


def _kept(temporary: Path, out: Path, error: OSError) -> str:
    """What went wrong, and where what was analysed so far stands from now on, if anything was."""
    why, folder = sentence(error), _beside(out, UNFINISHED)
    if not any(temporary.glob("parts/timeline-*.parquet")) and not (temporary / "timeline.parquet").is_file():
        shutil.rmtree(temporary, ignore_errors=True)
        return f"{out} cannot be written: {why} Choose another folder, or make room for it."
    n = 1
    while folder.exists():
        n += 1
        folder = _beside(out, f"{UNFINISHED}-{n}")
    try:
        temporary.rename(folder)
    except OSError:
        return (
            f"{out} cannot be written: {why} What was analysed is in {temporary}; move that away before the next run."
        )
    if (folder / "analysis.json").is_file():
        return f"The analysis is done, but {out} cannot be written: {why} It stands whole in {folder}; rename that."
    return (
        f"The analysis broke off: {why} What was analysed until then is kept as Parquet tables in {folder}. Make room, "
        f"and run it again; remove that folder when it is not needed any more."
    )


def _scores(checkpoint: Checkpoint | Sequence[Checkpoint], device: str) -> list[EmotionScores]:
    wanted = [checkpoint] if isinstance(checkpoint, str | Path | Classifier) else list(checkpoint)
    loaded = [each if isinstance(each, Classifier) else load(each, device=device) for each in wanted]
    names = [classifier.name for classifier in loaded]
    if not names or len(set(names)) < len(names):
        raise InputError(f"Expected one or more models of different names, got {', '.join(names) or 'none'}.")
    return [EmotionScores(*fastest(classifier)) for classifier in loaded]


__all__ = ["Settings", "analyze"]
