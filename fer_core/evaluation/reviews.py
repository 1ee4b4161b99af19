"""What a reviewer says about labels: kept, changed, left out; as a list of events that can be undone.

The data set is never changed. ``<dataset>.json`` holds the events in order; each is a plain dict:

    do      keep      the label is right
            relabel   it should be ``label``
            drop      the picture should not count (no face, say)
            restore   what was decided is taken back
    was     id → label that the data set gives, for one picture or for many that were decided at once
    label   the new label, only with ``relabel``
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from fer_core.emotions import EMOTIONS8
from fer_core.errors import InputError, StoreError
from fer_core.files import replacing

FORMAT = "fer-workbench-label-review/1"
DECISIONS: tuple[str, ...] = ("keep", "relabel", "drop", "restore")
CSV_COLUMNS = ("id", "label", "decision", "new_label")
MAX_BYTES = 20_000_000
_MAX_ID = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # becomes the name of a file
_WRITING = threading.Lock()
Event = Mapping[str, Any]


class Decision(NamedTuple):
    """What holds for a picture: ``do`` is keep, relabel or drop; ``was`` the data set's label, ``label`` the one that
    counts now, None if the picture is left out."""

    do: str
    was: str
    label: str | None


@dataclass(frozen=True)
class LabelReview:
    """The events that hold (``done``) for a data set, and those that were taken back (``undone``), the last one first.

    A review never changes: what decides returns another one, which ``change`` keeps.
    """

    dataset: str
    done: tuple[Event, ...] = ()
    undone: tuple[Event, ...] = ()

    @cached_property
    def decisions(self) -> dict[str, Decision]:
        """Id → what holds, the latest decision last."""
        found: dict[str, Decision] = {}
        for event in self.done:
            for name, was in event["was"].items():
                found.pop(name, None)
                if event["do"] != "restore":
                    label = {"keep": was, "relabel": event.get("label"), "drop": None}[event["do"]]
                    found[name] = Decision(event["do"], was, label)
        return found

    @property
    def corrections(self) -> dict[str, str | None]:
        """Id → new label, None to leave the picture out; for ``fer_core.evaluation.outcomes``."""
        return {name: each.label for name, each in self.decisions.items() if each.do != "keep"}

    @property
    def kept(self) -> frozenset[str]:
        """Ids whose label was confirmed."""
        return frozenset(name for name, each in self.decisions.items() if each.do == "keep")

    def decide(self, do: str, was: Mapping[str, str], label: str | None = None) -> LabelReview:
        """With one more event, which forgets those that were taken back.

        Args:
            do: one of ``DECISIONS``.
            was: id → label that the data set gives, of all pictures that this is about.
            label: the new label, for ``relabel`` only.

        Raises:
            InputError: an event that cannot be; says why.
        """
        event = _checked({"do": do, "was": dict(was)} | ({} if label is None else {"label": label}))
        if do == "restore" and (undecided := was.keys() - self.decisions.keys()):
            raise InputError(f"Nothing was decided about {min(undecided)[:60]!r}, so nothing can be taken back.")
        return LabelReview(self.dataset, (*self.done, event))

    def undo(self) -> LabelReview:
        """Without the last event."""
        return LabelReview(self.dataset, self.done[:-1], (*self.done[-1:], *self.undone))

    def redo(self) -> LabelReview:
        """With the event back that was undone last."""
        return LabelReview(self.dataset, (*self.done, *self.undone[:1]), self.undone[1:])

    def to_csv(self) -> bytes:
        """Comma-separated UTF-8, one row per decided picture: ``id, label, decision, new_label`` (empty where the
        picture is left out)."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        writer.writerows((name, each.was, each.do, each.label or "") for name, each in self.decisions.items())
        return text.getvalue().encode()

    @classmethod
    def load(cls, folder: Path, dataset: str) -> LabelReview:
        """What was said so far about a data set; nothing where there is no file.

        Raises:
            InputError: a name of a data set that is not fit for a file.
            StoreError: the file is damaged; the message says what to do.
        """
        path = _path(folder, dataset)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise InputError(f"its format is {str(values['format'])[:60]!r}, expected {FORMAT!r}")
            done, undone = (tuple(_checked(event) for event in values[key]) for key in ("done", "undone"))
        except FileNotFoundError:
            return cls(dataset)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError) as error:
            raise StoreError(
                f"{path.parent.name}/{path.name} is damaged ({error}). Move it away to start the review anew."
            ) from error
        return cls(dataset, done, undone)

    @classmethod
    def change(cls, folder: Path, dataset: str, how: Callable[[LabelReview], LabelReview]) -> LabelReview:
        """Load, change and keep; one change of this process at a time, so that none is lost.

        Raises:
            InputError, StoreError: what ``load`` and ``how`` raise, or too much to keep; the file stays as it is.
        """
        with _WRITING:
            changed = how(cls.load(folder, dataset))
            changed._write(_path(folder, dataset))
            return changed

    def _write(self, path: Path) -> None:
        """Whole or not at all."""
        record = {"format": FORMAT, "dataset": self.dataset, "done": self.done, "undone": self.undone}
        text = json.dumps(record, indent=1, ensure_ascii=False)
        if len(text) > MAX_BYTES:
            raise InputError("This review has grown too large; export it, and move its file away to start a new one.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new:
            new.write_text(text, encoding="utf-8")


def _path(folder: Path, dataset: str) -> Path:
    if not _NAME.fullmatch(dataset):
        raise InputError(f"{dataset[:60]!r} is no name of a data set; expected letters, digits, dots and dashes.")
    return folder / f"{dataset}.json"


def _checked(event: Any) -> Event:
    if not isinstance(event, dict):
        raise InputError("an event is no object.")
    _check(event)
    return event


def _check(event: Mapping[str, Any]) -> None:
    do, was, label = event.get("do"), event.get("was"), event.get("label")
    if do not in DECISIONS:
        raise InputError(f"Unknown decision {str(do)[:40]!r}; expected one of {', '.join(DECISIONS)}.")
    if not isinstance(was, dict) or not was:
        raise InputError("A decision is about at least one picture; choose some.")
    for name, old in was.items():
        if not (isinstance(name, str) and 1 <= len(name) <= _MAX_ID and name.isprintable()):
            raise InputError(f"{str(name)[:60]!r} is no id of a picture; expected 1 to {_MAX_ID} printable characters.")
        if old not in EMOTIONS8:
            raise InputError(
                f"The label of {name[:60]!r} is {str(old)[:40]!r}; expected one of {', '.join(EMOTIONS8)}."
            )
    if (label is None) == (do == "relabel"):
        raise InputError("A new label belongs to relabelling, and only to that.")
    if label is not None and label not in EMOTIONS8:
        raise InputError(f"The new label is {str(label)[:40]!r}; expected one of {', '.join(EMOTIONS8)}.")
    if do == "relabel" and (same := [name for name, old in was.items() if old == label]):
        raise InputError(f"{same[0][:60]!r} is labelled {label} already; keep it instead.")
