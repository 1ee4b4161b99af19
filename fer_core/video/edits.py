"""What a reviewer changes: people, exclusions, marks, groups and limits, as a list of edits that can be undone.

Raw tables are never rewritten. ``edits.json`` holds the edits in order; ``apply`` makes the table as the reviewer sees
it. Every edit is a plain dict with its kind under ``do``:

    rename   person, name                what a person is called
    merge    person, into                one person was counted as two
    split    person, at_s, new           two people were counted as one: from ``at_s`` on it is person ``new``
    apart    person, other               two people who were taken for one are two
    exclude  person, start_s, end_s      leave out a person (None: all) in a span (None: from the start, to the end)
    include  person                      show a person again who was left out from the start to the end
    marks    set, remove                 add marks, or replace those with their ids; remove the ids in ``remove``
    prior    choice                      how common each emotion is taken to be, one of ``fer_core.emotions.PRIORS``
    groups   map                         which group every emotion belongs to
    limits   limits                      from when on scores count as doubtful, see ``fer_core.video.trust``

A person is a number (``track``) of the table; the first is 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, check_choice, check_group_map
from fer_core.errors import InputError
from fer_core.video.marks import MAX_ROWS, Mark, printable
from fer_core.video.reasons import Limits, check_limits
from fer_core.video.timeline import person_name, without_rows

MAX_EDITS = 5_000
MAX_PERSON_NAME = 60
MAX_SHARED = 0.1
"""Two people who are seen together in a larger share of the frames of either are two people."""
Edit = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """What the edits come to: names by person, the steps that change the table, groups, limits, marks, the pairs of
    people (the lower number first) who are told apart, and how common each emotion is taken to be ("": as analysed)."""

    names: Mapping[int, str] = field(default_factory=dict)
    steps: tuple[Edit, ...] = ()
    groups: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_GROUP_MAP))
    limits: Limits = Limits()
    marks: tuple[Mark, ...] = ()
    apart: frozenset[tuple[int, int]] = frozenset()
    prior: str = ""

    def name_of(self, person: int) -> str:
        """What a person is called."""
        return person_name(person, self.names)


@dataclass(frozen=True)
class Edits:
    """The edits that hold (``done``), and those that were taken back, the last one first (``undone``)."""

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    @cached_property
    def state(self) -> State:
        """All edits in order."""
        state, marks = State(), dict[str, Mark]()
        for edit in self.done:
            if edit["do"] == "marks":
                marks |= {mark.id: mark for mark in map(Mark.from_dict, edit["set"])}
                marks = {each: mark for each, mark in marks.items() if each not in edit["remove"]}
            else:
                state = _FOLD[edit["do"]](state, edit)
                marks = {mark.id: _followed(mark, edit) for mark in marks.values()} if edit["do"] in _MOVES else marks
        return dataclasses.replace(state, marks=tuple(sorted(marks.values(), key=lambda mark: (mark.start_s, mark.id))))

    def add(self, edit: Edit) -> Edits:
        """With one more edit, as ``checked`` returned it."""
        if len(self.done) >= MAX_EDITS:
            raise InputError(f"There are {MAX_EDITS} edits already; analyse the video anew to start afresh.")
        return Edits((*self.done, edit))

    def undo(self) -> Edits:
        """Without the last edit."""
        return Edits(self.done[:-1], (self.done[-1], *self.undone)) if self.done else self

    def redo(self) -> Edits:
        """With the edit back that was undone last."""
        return Edits((*self.done, self.undone[0]), self.undone[1:]) if self.undone else self

    def to_dict(self) -> dict[str, Any]:
        """For ``edits.json``."""
        return {"done": list(self.done), "undone": list(self.undone)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Edits:
        """From ``edits.json``.

        Raises:
            InputError: a list of something else than edits.
        """
        lists = [values.get("done", []), values.get("undone", [])]
        if not all(isinstance(each, list) and all(_is_edit(edit) for edit in each) for each in lists):
            raise InputError("edits.json holds something that is no edit.")
        edits = cls(*(tuple(each) for each in lists))
        try:
            apply(_NOTHING, edits.state.steps)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"edits.json holds an edit that lacks something ({error}).") from error
        return edits


def _is_edit(edit: Any) -> bool:
    return isinstance(edit, dict) and isinstance(edit.get("do"), str) and edit["do"] in _CHECKS


# what an edit does to the state


def _rename(state: State, edit: Edit) -> State:
    return dataclasses.replace(state, names={**state.names, int(edit["person"]): str(edit["name"])})


def _step(state: State, edit: Edit) -> State:
    return dataclasses.replace(state, steps=(*state.steps, edit))


def _include(state: State, edit: Edit) -> State:
    kept = tuple(step for step in state.steps if not (_is_whole(step) and step["person"] == edit["person"]))
    return dataclasses.replace(state, steps=kept)


def _is_whole(step: Edit) -> bool:
    """Whether a step leaves out one person from the start to the end."""
    return step["do"] == "exclude" and step["person"] is not None and step.get("start_s") is step.get("end_s") is None


def left_out(state: State) -> list[int]:
    """The people who are left out from the start to the end, in the order in which they were."""
    return list(dict.fromkeys(step["person"] for step in state.steps if _is_whole(step)))


def _merge(state: State, edit: Edit) -> State:
    names, gone, into = dict(state.names), int(edit["person"]), int(edit["into"])
    name = names.pop(gone, "")
    apart = frozenset(two(*(into if each == gone else each for each in pair)) for pair in state.apart)
    return dataclasses.replace(_step(state, edit), names={**names, into: names.get(into) or name}, apart=apart)


def two(a: int, b: int) -> tuple[int, int]:
    """Two people, the lower number first."""
    return min(a, b), max(a, b)


def _apart(state: State, edit: Edit) -> State:
    return dataclasses.replace(state, apart=state.apart | {two(int(edit["person"]), int(edit["other"]))})


def _groups(state: State, edit: Edit) -> State:
    check_group_map(edit["map"])
    return dataclasses.replace(state, groups=dict(edit["map"]))


def _prior(state: State, edit: Edit) -> State:
    check_choice(edit["choice"])
    return dataclasses.replace(state, prior=edit["choice"])


def _followed(mark: Mark, edit: Edit) -> Mark:
    """A mark about one person, after a merge or split: it stays with whom it was about."""
    if mark.track is None or mark.track != edit["person"]:
        return mark
    if edit["do"] == "merge":
        return dataclasses.replace(mark, track=int(edit["into"]))
    return dataclasses.replace(mark, track=int(edit["new"])) if mark.start_s >= edit["at_s"] else mark


_MOVES = ("merge", "split")
_FOLD: Mapping[str, Callable[[State, Edit], State]] = {
    "rename": _rename,
    "merge": _merge,
    "split": _step,
    "apart": _apart,
    "exclude": _step,
    "include": _include,
    "prior": _prior,
    "groups": _groups,
    "limits": lambda state, edit: dataclasses.replace(state, limits=Limits.from_json(edit["limits"])),
}


# what the steps do to the table


def apply(table: pd.DataFrame, steps: Sequence[Edit]) -> pd.DataFrame:
    """The table as the reviewer sees it: people merged and split, what is excluded gone.

    Where a merged person was found twice in one frame, the face with the better detection score stays. A frame without
    any face left has one row with track -1.
    """
    if not steps:
        return table
    track, gone = table["track"].to_numpy(copy=True), np.zeros(len(table), bool)
    times = table["time_s"].to_numpy(float)
    for step in steps:
        if step["do"] == "merge":
            track[track == step["person"]] = step["into"]
        elif step["do"] == "split":
            track[(track == step["person"]) & (times >= step["at_s"] - 1e-6)] = step["new"]
        else:
            gone |= _excluded(track, times, step)
    table = table.assign(track=track)
    return without_rows(table, gone | _doubles(table, gone)).reset_index(drop=True)


def _excluded(track: NDArray, times: NDArray[np.float64], step: Edit) -> NDArray[np.bool_]:
    start_s, end_s = step.get("start_s"), step.get("end_s")
    who = track >= 0 if step.get("person") is None else track == step["person"]
    after = times >= (-np.inf if start_s is None else start_s - 1e-6)
    return np.asarray(who & after & (times < (np.inf if end_s is None else end_s - 1e-6)))


def _doubles(table: pd.DataFrame, gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of a person who has a better one in the same frame."""
    kept = table.loc[~gone & (table["track"] >= 0).to_numpy(), ["frame", "track", "detection"]]
    if not kept.duplicated(["frame", "track"]).any():
        return np.zeros(len(table), bool)
    worse = kept.sort_values("detection", ascending=False, kind="stable").duplicated(["frame", "track"])
    doubles = np.zeros(len(table), bool)
    doubles[worse.index[worse]] = True
    return doubles


_NOTHING = pd.DataFrame({"frame": [0], "time_s": [0.0], "track": [-1], "detection": [np.nan]})


def people_after(people: Sequence[int], steps: Sequence[Edit]) -> list[int]:
    """The people who are left of ``people`` after the steps; one who is left out in spans only counts as there."""
    left = set(people)
    for step in steps:
        if step["do"] == "split":
            left.add(step["new"])
        elif step["do"] == "merge" or (step.get("start_s") is None and step.get("end_s") is None):
            left -= left if step["person"] is None else {step["person"]}
    return sorted(left)


# checking what a user asks for


def checked(edit: Any, table: pd.DataFrame, state: State) -> Edit:
    """An edit that a user asked for, complete and possible.

    Args:
        edit: a dict with ``do``; anything may be in it.
        table: ``frame``, ``time_s``, ``track``, ``detection`` of the raw timeline.
        state: what holds so far.

    Raises:
        InputError: another kind of edit, a person who is not there, or one that makes no sense; says why.
    """
    if not _is_edit(edit):
        raise InputError(f"That is no edit; expected one of {', '.join(_FOLD)}.")
    try:
        return _CHECKS[edit["do"]](edit, table, state)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"The edit {edit['do']!r} lacks something or has a wrong value ({error}).") from error


def _person(value: Any, table: pd.DataFrame, state: State) -> int:
    number = int(value)
    if number not in apply(table, state.steps)["track"].to_numpy() or number < 0:
        raise InputError(f"There is no person {number + 1} any more. Look at the list of people and choose anew.")
    return number


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not (math.isfinite(seconds) and 0 <= seconds < 1e7):
        raise InputError(f"A time is a number of seconds from 0, got {value!r}.")
    return seconds


def _check_rename(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    name = " ".join(printable(str(edit["name"])).split())
    if len(name) > MAX_PERSON_NAME:
        raise InputError(f"A person's name has at most {MAX_PERSON_NAME} characters; this one has {len(name)}.")
    return {"do": "rename", "person": _person(edit["person"], table, state), "name": name}


def _check_merge(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    gone, into = (_person(edit[key], table, state) for key in ("person", "into"))
    if gone == into:
        raise InputError("A person cannot be merged with the same person; choose another one.")
    seen = apply(table, state.steps)
    frames = [seen.loc[seen["track"] == person, "frame"].to_numpy() for person in (gone, into)]
    together = len(np.intersect1d(*frames))
    if together > MAX_SHARED * min(map(len, frames)):
        raise InputError(
            f"{state.name_of(gone)} and {state.name_of(into)} are seen together in {together} frames, so they are two "
            f"people. If only a part is wrong, split it off first and merge that."
        )
    return {"do": "merge", "person": gone, "into": into}


def _check_apart(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    person, other = (_person(edit[key], table, state) for key in ("person", "other"))
    if person == other:
        raise InputError("A person cannot be told from the same person; choose another one.")
    return {"do": "apart", "person": person, "other": other}


def _check_split(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    person, at_s = _person(edit["person"], table, state), _seconds(edit["at_s"])
    seen = apply(table, state.steps)
    on_screen = seen["time_s"].to_numpy(float)
    at_s = float(max(on_screen[on_screen <= at_s + 5e-4], default=at_s))  # the frame that is on screen at the cursor
    times = seen.loc[seen["track"] == person, "time_s"].to_numpy(float)
    if not (times < at_s - 1e-6).any() or not (times >= at_s - 1e-6).any():
        raise InputError(
            f"{state.name_of(person)} is seen from {times.min():.2f} to {times.max():.2f} s. Put the cursor between, "
            f"at the first frame of the other person."
        )
    taken = [int(table["track"].max()), *(int(step["new"]) for step in state.steps if step["do"] == "split")]
    return {"do": "split", "person": person, "at_s": at_s, "new": max(taken) + 1}


def _check_exclude(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    person = None if edit.get("person") is None else _person(edit["person"], table, state)
    start_s, end_s = (None if edit.get(key) is None else _seconds(edit[key]) for key in ("start_s", "end_s"))
    step = {"do": "exclude", "person": person, "start_s": start_s, "end_s": end_s}
    seen = apply(table, state.steps)
    if not _excluded(seen["track"].to_numpy(), seen["time_s"].to_numpy(float), step).any():
        raise InputError("There is no face in what you want to leave out. Choose a person and a span with faces.")
    return step


def _check_include(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    if edit["person"] not in left_out(state):
        raise InputError("This person is not left out, so there is nothing to show again.")
    return {"do": "include", "person": int(edit["person"])}


def _check_marks(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    marks = [Mark.from_dict(mark) for mark in edit.get("set", [])]
    ids, remove = {mark.id for mark in marks}, [str(each) for each in edit.get("remove", [])]
    if len(ids) < len(marks):
        raise InputError("Two marks have the same id.")
    if not marks and not remove:
        raise InputError("There is no mark in it.")
    if len({mark.id for mark in state.marks} | ids) > MAX_ROWS:
        raise InputError(f"An analysis has at most {MAX_ROWS:,} marks; remove some first.")
    return {"do": "marks", "set": [mark.to_dict() for mark in marks], "remove": remove}


def _check_prior(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    check_choice(edit["choice"])
    return {"do": "prior", "choice": edit["choice"]}


def _check_groups(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    chosen = {**DEFAULT_GROUP_MAP, **{str(key): str(value) for key, value in dict(edit["map"]).items()}}
    if unknown := chosen.keys() - DEFAULT_GROUP_MAP.keys():
        raise InputError(f"{', '.join(sorted(unknown))}: no such emotion.")
    check_group_map(chosen)
    return {"do": "groups", "map": chosen}


def _check_limits(edit: Edit, table: pd.DataFrame, state: State) -> Edit:
    limits = Limits.from_json(edit["limits"])
    check_limits(limits)
    return {"do": "limits", "limits": dataclasses.asdict(limits)}


_CHECKS: Mapping[str, Callable[[Edit, pd.DataFrame, State], Edit]] = {
    "rename": _check_rename,
    "merge": _check_merge,
    "apart": _check_apart,
    "split": _check_split,
    "exclude": _check_exclude,
    "include": _check_include,
    "marks": _check_marks,
    "prior": _check_prior,
    "groups": _check_groups,
    "limits": _check_limits,
}


__all__ = ["Edit", "Edits", "State", "apply", "checked", "left_out", "people_after"]
