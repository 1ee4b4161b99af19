"""The analysis: a video or picture in, an analysis folder out.

    file → frames → faces → people → crops → emotion scores → tables

Each stage hands the next one record. Pictures and crops are forgotten once they are classified, and rows go to disk in
parts; only at the end, when all pictures are gone, some columns of the table are read for the summary. The folder is
built as ``<out>.tmp`` and renamed when it is whole. A process that dies leaves it, and the next one goes on in it.

What was analysed before something broke off is kept. Where the source cannot be read any further, or the disk takes no
more, that is an incomplete analysis; where not even that can be written, ``<out>.unfinished``, which no run touches.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from fer_core.emotions import check_choice
from fer_core.errors import InputError, StoreError, TakenOver, sentence
from fer_core.files import moved, tree_to_disk
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.progress import OnProgress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video import resume
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.in_making import STATE, unfinished
from fer_core.video.modes import Settings, check_mode
from fer_core.video.opening import readable
from fer_core.video.parts import PARTS, clear
from fer_core.video.reader import VideoReader
from fer_core.video.record import versions, write_record
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
    token: str = "",
) -> Path:
    """Analyse a video or picture and write an analysis folder, or finish what a process did not that died over it.

    Args:
        source: the file.
        out: the folder to write; must not hold anything yet.
        checkpoint: name, folder or a loaded classifier; or several, of which the first fills the timeline. Decoding,
            detection, tracking and equal crops are done once for all.
        settings: what to analyse.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        name: what the source is called in the results, by default its file name.
        progress: called about twice a second with one ``fer_core.progress.Progress``: the stage, the share that is done
            (0-1), frames, faces and seconds of video so far. ``fer_core.progress_bar()`` makes one that draws a bar.
        should_stop: asked after every frame; when it says yes, what was analysed so far is kept as an incomplete
            analysis (``complete`` is false in ``analysis.json``).
        token: another one for every process that may try the same at once. The later one takes the folder of the
            earlier, ``<out>.<token>.tmp``, away from it.

    Returns:
        ``out``, with ``scores/<checkpoint>.parquet``, ``features.parquet``, ``timeline.parquet``,
        ``timeline.csv``, ``crops/`` and ``analysis.json``; where people are recognised by their faces also
        ``people.json`` and ``descriptors.parquet``.

    Raises:
        VideoError, CheckpointError, InputError: the input cannot be used; nothing is left behind.
        StoreError: ``out`` is taken, or cannot be written; the message says where what was analysed is kept.
        Cancelled: stopped before the first frame was analysed.
        TakenOver: by ``should_stop`` or ``progress``; what is there is left for another run.
    """
    source, out = Path(source), Path(out).absolute()
    check_mode(settings.mode)
    check_choice(settings.prior)
    stops = should_stop or (lambda: False)
    temporary = check_free(out, f".{token}.tmp" if token else ".tmp")
    try:
        if token:
            resume.take_over(temporary, [path for path in unfinished(out) if path != temporary])
        with one_thread_each():
            _fill(temporary, source, name or source.name, _scores(checkpoint, device), settings, progress, stops)
        clear(temporary)
        tree_to_disk(temporary)
        stops()  # raises where this is somebody else's work by now
        if out.exists():
            out.rmdir()
        moved(temporary, out)
    except TakenOver:
        raise
    except OSError as error:
        if token and not temporary.exists():
            raise TakenOver("Another process goes on with this analysis.") from error
        if token and (temporary / STATE).is_file():
            why = f"The analysis broke off: {sentence(error)} Make room, and start it again: it goes on from there."
            raise StoreError(why) from error
        raise StoreError(_kept(temporary, out, error)) from error
    except BaseException:
        if not (temporary / STATE).is_file():
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    (out / STATE).unlink(missing_ok=True)
    return out


def _fill(
    temporary: Path, source: Path, name: str, scores: list[EmotionScores], settings: Settings,
    progress: OnProgress | None, stops: ShouldStop,
) -> None:  # fmt: skip
    """Write a whole analysis into the temporary folder, from where another run was if that is possible."""
    with VideoReader(source, name=name, track=settings.track) as reader:
        fingerprint = Fingerprint.of(source, reader.name, lambda: not stops())
        key = resume.key_of(fingerprint, settings, scores, versions())
        if resume.is_closed(temporary, key):
            return
        state = resume.read(temporary, key)
        if state is None:
            shutil.rmtree(temporary, ignore_errors=True)
        (temporary / PARTS).mkdir(parents=True, exist_ok=True)
        run = Run(reader, scores, settings, temporary, fingerprint, key, progress, stops)
        try:
            run.go(state)
        except StoreError:
            if state is None:
                raise
        else:
            write_record(temporary, run, reader.name)
            resume.close(temporary, key)
            return
    (temporary / STATE).unlink(missing_ok=True)
    _fill(temporary, source, name, scores, settings, progress, stops)


def check_free(out: Path, ending: str = ".tmp") -> Path:
    """Make sure that the folder can be taken.

    Returns:
        Where it is built: beside it, with this ending.

    Raises:
        StoreError: it is taken, or cannot be written.
    """
    temporary = _beside(out, ending)
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
    return temporary


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
    (folder / STATE).unlink(missing_ok=True)
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
    return [EmotionScores.of_checkpoint(classifier) for classifier in loaded]


__all__ = ["Settings", "analyze", "check_free"]
