"""What a data set is: one record says how it is called, how it codes emotions, and how a folder of it is recognised.

``fer_core.data.layouts`` lists all of them. A new data set is one module with its ``Layout`` and one line there; pages,
the command line, messages and the table of its classes learn of it by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_core.data.pictures import Header
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError

PER_EMOTION = "one folder per emotion"
Finder = Callable[[Path, str], DataSet | None]
"""Looks into a folder and gives the data set that it knows under a name ("" for its own), or None.

Raises ``DataError`` for one that is there in part.
"""


@dataclass(frozen=True)
class FolderSigns:
    """What is seen of folders with pictures before any is read.

    Attributes:
        codes: the number in the name of each folder, by name, where all are called like ``3`` or ``03``.
        classes: the number from 0 of each, by name, where all are called like ``class001`` or ``class_000``.
        emotions: the emotion of each, by name, where all are called in words.
        example: the first picture.
        header: its own; None where it cannot be read.
    """

    codes: Mapping[str, str]
    classes: Mapping[str, str]
    emotions: Mapping[str, str]
    example: Path
    header: Header | None


@dataclass(frozen=True)
class PerEmotion:
    """Folders of pictures that were recognised.

    Attributes:
        labels: name of a folder → emotion.
        dropped: name of a folder → why its pictures are left out.
        cut: whether the pictures are faces already cut out.
        grey: whether all are grey.
        subject: name of a picture → who is shown, "" where that is not known.
    """

    labels: Mapping[str, str]
    dropped: Mapping[str, str] = field(default_factory=dict)
    cut: bool = True
    grey: bool = False
    subject: Callable[[str], str] = lambda name: ""


@dataclass(frozen=True)
class Layout:
    """A data set as its authors give it out, or Kaggle.

    Attributes:
        key: what evaluations on it are called after, and what recipes and ``FER_DATA`` call it.
        title: what people call it; empty for what has no name.
        codes: its own code of a class → our emotion, in the order of its codes.
        names: what its authors call these classes, in the same order.
        no_emotion: a code that is no emotion → the authors' name, and the reason under which its pictures are counted.
        find: recognise it by tables and names of files; empty where it has no pictures of its own.
        in_folders: recognises it where it lies as one folder per emotion; None where it never does.
        note: what is read of it or how it may lie, in a few words.
        holds: each way in which it may lie → what the folder then holds, in Markdown.
    """

    key: str
    title: str
    codes: Mapping[str, str]
    names: Sequence[str]
    no_emotion: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    find: tuple[Finder, ...] = ()
    in_folders: Callable[[FolderSigns], PerEmotion | None] | None = None
    note: str = ""
    holds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.names) or not set(self.codes.values()) <= set(EMOTIONS8):
            raise ValueError(f"{self.key}: expected a name for each of {len(self.codes)} codes, and known emotions.")

    @property
    def classes(self) -> list[tuple[str, str, str]]:
        """Code, authors' name and emotion of every class that is one of the eight."""
        return [(code, own, emotion) for own, (code, emotion) in zip(self.names, self.codes.items(), strict=True)]

    @property
    def reasons(self) -> dict[str, str]:
        """Why pictures of a code are left out, by the codes that are no emotion."""
        return {code: reason for code, (_, reason) in self.no_emotion.items()}

    def emotion_of(self, code: str | int) -> str:
        """Our label for a code.

        Raises:
            DataError: it is none of its codes; the message lists them.
        """
        if str(code) not in self.codes:
            raise DataError(f"{self.key} has no emotion code {code!r}; its codes are {', '.join(self.codes)}.")
        return self.codes[str(code)]

    def label_of(self, code: str | int) -> int:
        """As ``emotion_of``, the index into ``EMOTIONS8``."""
        return EMOTIONS8.index(self.emotion_of(code))

    def by_codes(self, codes: Mapping[str, str]) -> PerEmotion | None:
        """Folders by their ``codes`` (by name), or None unless there are some and all are codes of this data set."""
        if not codes or not set(codes.values()) <= {*self.codes, *self.no_emotion}:
            return None
        labels = {name: self.codes[code] for name, code in codes.items() if code in self.codes}
        return PerEmotion(labels, {name: self.reasons[code] for name, code in codes.items() if name not in labels})

    def opened(
        self, name: str, told: str, root: Path, splits: Iterable[str], reader: Callable[[str, str], FaceSet]
    ) -> DataSet:
        """The data set in ``root`` that lies as ``told``; ``reader`` reads what it is called and a split."""
        called, said = name or self.key, f"{self.title}, {told}" if self.title else told
        return DataSet(called, said, root, tuple(splits), lambda split: reader(called, split), self.key)


def coded(codes: Iterable[str | int], emotions: Sequence[str]) -> Mapping[str, str]:
    """``Layout.codes`` from codes and their emotions, in one order."""
    return {str(code): emotion for code, emotion in zip(codes, emotions, strict=True)}
