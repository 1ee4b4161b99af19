"""Heatmaps and checks of single faces on request: a face of a data set, of a picture, or of an analysed video.

A *source* says which face: ``{"dataset", "split", "id"}``, ``{"picture", "face"}`` or ``{"analysis", "track",
"time_s"}``. An *ask* says what of it: ``checkpoint``, ``target`` (an emotion, a list of emotions for a group, empty for
the network's answer), ``other`` (the same; the difference of the two maps is wanted), ``method``, ``layer`` and the
extras ``sanity`` and ``features``. A request is every ask of every source. Its key is a digest of all that decides the
answer, and the id of its job: the same question is answered once.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dashboard.services import checkpoints, datasets, jobs, kinds, places, queues, warm
from fer_core.errors import CheckpointError, InputError, StoreError
from fer_core.files import keep_newest, remove_tree, replacing
from fer_core.models.folders import checkpoint_named, weights_in
from fer_core.progress import OnProgress, Progress

if TYPE_CHECKING:
    from fer_core.faces import Faces
    from fer_core.models.classifier import Classifier

Source = dict[str, Any]
Ask = dict[str, Any]
FACE_PX, SMALL_PX = 240, 96
MAPS = 2
"""Raised whenever the same question gets other maps than before."""
KEPT_ANSWERS = 400
RETRY_S = 30.0


def make_ask(
    checkpoint: str, target: str | Sequence[str] = "", *, other: str | Sequence[str] = "", method: str = "",
    layer: str = "", sanity: bool = False, features: bool = False,
) -> Ask:  # fmt: skip
    """An ask; see the module's docstring."""
    return {
        "checkpoint": checkpoint, "target": target if isinstance(target, str) else list(target),
        "other": other if isinstance(other, str) else list(other), "method": method, "layer": layer, "sanity": sanity,
        "features": features,
    }  # fmt: skip


def ask(sources: Sequence[Source], asks: Sequence[Ask]) -> str:
    """Ask, unless it is answered or being answered; returns the job.

    Raises:
        CheckpointError: an ask names a checkpoint that is not there.
        DataError, StoreError: a source names a data set or an analysis that is not there.
        InputError: a source or an ask has other keys or values than they have.
    """
    weights = [_weights(each["checkpoint"]) for each in asks]
    decides = [MAPS, list(sources), list(asks), weights, [_version(source) for source in sources]]
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]
    job = jobs.get(key)
    if job is not None and (job.state in jobs.ACTIVE or _still_holds(job)):
        return key
    if job is not None:
        jobs.remove(key)
    request = kinds.ExplainRequest.from_json({"sources": list(sources), "asks": list(asks)})
    return queues.ask(kinds.EXPLAIN, request, name="heatmaps", job_id=key)


def _weights(checkpoint: str) -> tuple[int, int]:
    if missing := checkpoints.why_not_runnable(checkpoint):
        raise CheckpointError(missing)
    path = weights_in(checkpoint_named(checkpoint))
    assert path is not None
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _version(source: Source) -> str:
    """What may change behind the words of a source: where its data set lies, who is who in its analysis."""
    if "dataset" in source:
        return datasets.find(source["dataset"]).version
    if "analysis" in source:
        from dashboard.services.prepared import version

        return version(places.store().open(source["analysis"]))
    return ""


def _still_holds(job: jobs.Job) -> bool:
    """Whether an ended job need not be repeated; a failure stands for a while, or a page would repeat it for ever."""
    if job.state == "done":
        return _path(job.id).is_file()
    return time.time() - (job.finished or 0.0) < RETRY_S


def answer(key: str) -> dict[str, Any]:
    """``{"state": …}`` of a request, with ``error`` where it failed, and everything once it is done.

    Raises:
        InputError, StoreError: not an id; no such request.
    """
    job = jobs.get(places.check_id(key))
    if job is None or job.kind != kinds.EXPLAIN.name:
        raise StoreError("There is no such request.")
    if job.state != "done":
        return {"state": job.state, "share": job.share, "error": job.error}
    try:
        return {"state": "done", **json.loads(_path(key).read_text(encoding="utf-8"))}
    except (OSError, ValueError, TypeError) as error:
        _path(key).unlink(missing_ok=True)  # else a damaged one would be the answer for ever
        raise StoreError("The answer was removed meanwhile, or is damaged; ask again.") from error


def wait(key: str, *, seconds: float) -> dict[str, Any]:
    """``answer``, after at most so many seconds if it is still being made."""
    end = time.monotonic() + seconds
    while (found := answer(key))["state"] in jobs.ACTIVE and time.monotonic() < end:
        time.sleep(0.02)
    return found


def forget(analysis_id: str) -> None:
    """Remove every answer that shows a face of an analysis."""
    forget_where("analysis", analysis_id)


def forget_where(key: str, value: str | None = None) -> None:
    """Remove the answers whose sources have this key, with this value or any; and those that no row of the table of
    jobs tells of any more, as after it was damaged: nobody can ask for them again, or say whom they show."""
    _forget([job for job in jobs.of_kind(kinds.EXPLAIN.name) if _is_of(job, key, value)])
    known = {job.id for job in jobs.of_kind(kinds.EXPLAIN.name)}
    for path in places.below("explained").glob("*.json"):
        if path.stem not in known:
            path.unlink(missing_ok=True)


def forget_old(before: float) -> int:
    """Remove the answers that were made before a time; how many there were."""
    old = [job for job in jobs.of_kind(kinds.EXPLAIN.name) if job.created < before and job.state not in jobs.ACTIVE]
    _forget(old)
    return len(old)


def forget_all() -> None:
    """Remove every answer."""
    _forget(jobs.of_kind(kinds.EXPLAIN.name))
    for path in places.below("explained").iterdir():
        remove_tree(path)


def _forget(answered: Sequence[jobs.Job]) -> None:
    jobs.forget(*(job.id for job in answered))
    for job in answered:
        _path(job.id).unlink(missing_ok=True)


def _is_of(job: jobs.Job, key: str, value: str | None) -> bool:
    found = [each[key] for each in job.settings.get("sources", ()) if isinstance(each, dict) and key in each]
    return bool(found) if value is None else value in found


def _path(key: str) -> Path:
    return places.below("explained") / f"{key}.json"


def make(job: jobs.Job, asked: kinds.ExplainRequest, *, progress: OnProgress) -> None:
    """The worker's part of ``ask``.

    Raises:
        FerError: as its message says.
    """
    sources, asks = asked.sources, asked.asks
    found: list[dict[str, Any]] = [{"answers": []} for _ in sources]
    for i, each in enumerate(asks):
        classifier = warm.classifier(each.checkpoint)
        crops = np.stack([_crop(source, classifier) for source in sources])
        for one, crop, cell in zip(found, crops, _cells(classifier, crops, each), strict=True):
            one.setdefault("crop", _png(cv2.resize(crop, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC)))
            one["answers"].append({**dataclasses.asdict(each), **cell})
        progress(Progress("explaining", (i + 1) / len(asks)))
    for one, source in zip(found, sources, strict=True):
        if "picture" in source:
            one["n_faces"] = len(_faces_of(places.below("pictures") / source["picture"])[1])
    with replacing(_path(job.id)) as new:
        new.write_text(json.dumps({"sources": found}), encoding="utf-8")
    if jobs.get(job.id) is None:  # what it is of was deleted meanwhile
        _path(job.id).unlink()
    for old in keep_newest(_path(job.id).parent, "*.json", KEPT_ANSWERS):
        jobs.remove(old.stem)


def _cells(classifier: Classifier, crops: np.ndarray, wanted: kinds.Ask) -> list[dict[str, Any]]:
    """What one ask finds, for each crop."""
    from fer_core.explain import contrast, heatmaps, overlay, overlay_signed, pick_layer, pick_method

    scores, size = classifier.predict(crops).probabilities, FACE_PX if len(crops) == 1 else SMALL_PX
    method, layer = pick_method(classifier, wanted.method or None), pick_layer(classifier, wanted.layer or None)
    answers = [classifier.labels[top] for top in scores.argmax(axis=1)]
    targets = [wanted.target or answer for answer in answers]
    if wanted.other:
        others = [wanted.other] * len(crops)
        maps = contrast(classifier, crops, targets, others, method=method, layer=layer)
    else:
        maps = heatmaps(classifier, crops, targets, method=method, layer=layer)
    draw = overlay_signed if wanted.other else overlay
    return [
        {
            "answer": answer, "explained": target, "method": method, "layer": layer, "is_empty": not each.any(),
            "scores": dict(zip(classifier.labels, map(float, row), strict=True)),
            "picture": _png(draw(crop, each, size=size)),
            **_extras(classifier, crop, target, wanted),
        }
        for answer, target, each, row, crop in zip(answers, targets, maps, scores, crops, strict=True)
    ]  # fmt: skip


def _extras(classifier: Classifier, crop: np.ndarray, target: Any, wanted: kinds.Ask) -> dict[str, Any]:
    from fer_core.explain import feature_maps, feature_sheet, layers, sanity

    found: dict[str, Any] = {}
    layer = wanted.layer or None
    if wanted.sanity:
        found["sanity"] = sanity(classifier, crop, target, method=wanted.method or None, layer=layer).to_json()
    if wanted.features:
        maps = feature_maps(classifier, crop, layer)
        found["sheet"], found["sheet_shape"] = _png(feature_sheet(maps)), list(maps.shape)
    found["layers"] = layers(classifier)
    return found


def _crop(source: Mapping[str, Any], classifier: Classifier) -> np.ndarray:
    """The face of a source as the classifier takes it, uint8 (s, s, 3) RGB."""
    if "dataset" in source:
        from fer_core.evaluation import face_crop

        faces = datasets.faces(source["dataset"], source["split"])
        return face_crop(classifier, faces, faces.index(source["id"]))
    if "analysis" in source:
        return _video_crop(source, classifier)
    return _picture_crop(source, classifier)


def _video_crop(source: Mapping[str, Any], classifier: Classifier) -> np.ndarray:
    from fer_core.video.keeping import video_of
    from fer_core.video.view import edited
    from fer_core.video.why import face_at, face_crops

    analysis = places.store().open(source["analysis"])
    path = video_of(analysis)
    row = face_at(edited(analysis, analysis.models[0]), track=source["track"], time_s=source["time_s"])
    return np.asarray(face_crops(path, row, classifier, picture_track=analysis.picture_track)[0])


def _picture_crop(source: Mapping[str, Any], classifier: Classifier) -> np.ndarray:
    from fer_core.faces import crop_faces

    path = places.below("pictures") / source["picture"]
    if path.parent != places.below("pictures") or not path.is_file():
        raise StoreError("The picture is not kept any more. Choose it again.")
    image, faces = _faces_of(path)
    wanted = np.array([min(int(source.get("face", 0)), len(faces) - 1)])
    return np.asarray(crop_faces(image, faces[wanted], classifier.card.crop)[0])


@lru_cache(maxsize=4)
def _faces_of(path: Path) -> tuple[np.ndarray, Faces]:
    """A picture and the faces in it, the largest first."""
    from fer_core.video.reader import VideoReader

    with VideoReader(path) as reader:
        image = next(iter(reader.frames())).image
    faces = warm.detector().detect([image])[0]
    if not len(faces):
        raise InputError("No face was found in this picture. Try one with a larger, frontal face.")
    areas = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    return image, faces[np.argsort(-areas)]


def _png(picture: np.ndarray) -> str:
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return base64.b64encode(data.tobytes()).decode()
