"""What the data folder holds, and where: every file is of one of these groups.

$FER_HOME (default ~/.fer-workbench), for its owner alone: folders 0700, files 0600
├── version                          a number: how the folder is laid out, see ``fer_core.home.version``
├── uploads/<id>/source.<ending>     files waiting for, or in, an analysis
├── analyses/<id>/                   finished analyses with their video
├── checkpoints/<name>/              checkpoints that were added by upload
├── detectors/<name>.safetensors     weights of face detectors that were converted here
├── pretrained/                      ImageNet weights, for machines without a network
├── evaluations/<checkpoint>/<dataset>-<split>.parquet
├── maps/                            projections of features, by content
├── explained/<key>.json             heatmaps and checks of single faces, the newest few
├── pictures/<sha>.picture, .json    pictures that somebody wanted explained, the newest few, and their names
├── selections/<sha>.json            faces that were chosen by hand, so that an address can name them
├── reviews/<dataset>.json           what a reviewer said about labels
├── runtimes/                        how fast networks run here
├── datasets.json                    the data sets that the workbench was pointed to
├── keeping.json                     what is deleted later, and when
├── defaults.json                    what a new analysis begins with
├── logs/
├── running.lock, running.txt        whose folder it is, and where that workbench is open
├── token, open.html                 who has it is let in; see ``dashboard.services.access``
└── jobs.sqlite, queue-*.sqlite
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

DAMAGED = ".damaged-"
"""What stands in the name of a file that was set aside, before the time of that."""


@dataclass(frozen=True)
class Group:
    """Files of one purpose.

    Attributes:
        name: what code calls it.
        title: what people call it.
        holds: what it is, in a sentence.
        patterns: paths relative to the data folder, with ``/``; ``*`` stands for anything, also ``/``.
        costs: what removing it means, where that does no harm; empty where it would.
    """

    name: str
    title: str
    holds: str
    patterns: tuple[str, ...]
    costs: str = ""


GROUPS: tuple[Group, ...] = (
    Group("damaged", "Damaged files", "Set aside, so that others could take their place.", (f"*{DAMAGED}*",),
          "What could be read of them is in use already."),
    Group("uploads", "Files that wait", "Videos, pictures and weights on the way to an analysis or a check.",
          ("uploads/*",)),
    Group("unfinished", "Unfinished analyses", "What was analysed before something broke off.",
          ("analyses/*.tmp/*", "analyses/*.unfinished*/*"), "Their videos stay and can be analysed again."),
    Group("copies", "Playable copies", "Of videos and pictures that browsers do not show.", ("analyses/*/proxy.*",)),
    Group("annotated", "Annotated videos", "With what is seen written into the picture.", ("analyses/*/annotated*",),
          "They can be made anew in Review."),
    Group("why", "Heatmaps of Review", "Answers to “Why?”, with the face.", ("analyses/*/why/*",),
          "They can be asked for again."),
    Group("faces", "Pictures of people", "One of each person.", ("analyses/*/crops/*",)),
    Group("views", "Prepared timelines", "So that Review opens at once.", ("analyses/*/views/*",),
          "They are made anew when Review is opened."),
    Group("videos", "Videos and pictures", "As they were uploaded.", ("analyses/*/source.*",)),
    Group("tables", "Tables", "What was measured, and the edits.", ("analyses/*",)),
    Group("explained", "Heatmaps of Try a face", "Answers of the page Try a face, with the face.", ("explained/*",),
          "They can be asked for again."),
    Group("pictures", "Pictures given to Try a face", "The newest few.", ("pictures/*",),
          "Their heatmaps go with them."),
    Group("evaluations", "Evaluations", "How checkpoints did on data sets.", ("evaluations/*",)),
    Group("maps", "Maps", "Of the faces of data sets, on a model's page.", ("maps/*",), "They can be made anew."),
    Group("checkpoints", "Added checkpoints", "Those that were trained or added here.", ("checkpoints/*",)),
    Group("weights", "Weights of others", "Of face detectors, and to begin a training with.",
          ("detectors/*", "pretrained/*")),
    Group("choices", "Choices", "Decisions about labels, chosen faces, data sets, and what is deleted later.",
          ("reviews/*", "selections/*", "datasets.json*", "keeping.json*", "defaults.json*")),
    Group("runtimes", "Speeds", "How fast networks run on this machine.", ("runtimes/*",), "They are measured anew."),
    Group("logs", "Logs", "What the workers said.", ("logs/*",), "It does no harm, unless you look for a fault."),
    Group("queue", "Queue", "The list of jobs.", ("jobs.sqlite*", "queue-*.sqlite*"),
          "Jobs that wait or run stay, those that ended go."),
    Group("other", "Other files", "What belongs to none of these.", ("*",)),
)  # fmt: skip
"""In this order: a file is of the first group that it fits."""
BY_NAME = {group.name: group for group in GROUPS}


def group_of(path: str) -> Group:
    """The group of a path relative to the data folder, with ``/``."""
    return next(group for group in GROUPS if any(fnmatchcase(path, pattern) for pattern in group.patterns))


def files(home: Path) -> Iterator[tuple[Group, Path, int]]:
    """Every file of a data folder with its group and its size in bytes; what vanishes meanwhile is left out. Links are
    not followed."""
    for folder, folders, names in os.walk(home):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            path = Path(folder, name)
            with suppress(OSError):
                yield group_of(path.relative_to(home).as_posix()), path, os.lstat(path).st_size


def sizes(home: Path) -> dict[str, int]:
    """Bytes of every group by its name, in the order of ``GROUPS``."""
    found = dict.fromkeys(BY_NAME, 0)
    for group, _, n_bytes in files(home):
        found[group.name] += n_bytes
    return found
