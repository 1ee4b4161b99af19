"""An analysis in one zip file for a repository such as OSF or Zenodo: tables, their dictionary, report, plan, cards."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from fer_core.models.folders import with_weights
from fer_core.report.analysis import analysis_report
from fer_core.report.methods import NOT_CLAIMED, methods
from fer_core.report.notice import kept_notice, notice_page
from fer_core.video.dictionary import dictionary
from fer_core.video.export import agreed_in_words, export
from fer_core.video.marks import marks_to_csv
from fer_core.video.plan import deviations, kept_plan, plan_of
from fer_core.video.store import Analysis
from fer_core.video.timeline import segments
from fer_core.video.view import Lens, view

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file within, so that the same input gives the same bytes."""
_FILES = {
    "timeline.csv": "a row for each face and frame; frames without a face have a row, too",
    "timeline.parquet": "the same",
    "segments.csv": "stretches in which a person keeps one expression",
    "marks.csv": "marks that were set by hand",
    "columns.csv": "what every column of the timeline means, its unit and range",
    "analysis.json": "settings, time check, versions and hashes of the analysis",
    "edits.json": "what was changed by hand",
    "report.html": "the report, to open in a browser",
    "methods.txt": "a methods paragraph with its references",
    "references.bib": "the references for BibTeX",
    "plan.yaml": "all settings, to analyse other videos in the same way",
    "registered-plan.yaml": "the plan that was decided on beforehand",
    "deviations.txt": "where the analysis is not as planned",
    "notice.html": "what the people who are filmed were told",
}


def archive(analysis: Analysis, lens: Lens = Lens(), *, frames: str = "none", video: Path | None = None) -> bytes:
    """The zip file; the same input gives the same bytes. No video is in it, and pictures only as of ``frames`` in the
    report (see ``analysis_report``, of ``video``, too).

    Raises:
        InputError, StoreError: as of ``analysis_report``.
    """
    files = dict(_files(analysis, lens, frames, video))
    files = {"README.md": _readme(analysis, list(files)), **files}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as out:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            out.writestr(info, content)
    return whole.getvalue()


def _files(analysis: Analysis, lens: Lens, frames: str, video: Path | None) -> Iterator[tuple[str, bytes]]:
    table = view(analysis, lens)
    yield "timeline.csv", export(analysis, "csv", lens)
    yield "timeline.parquet", export(analysis, "parquet", lens)
    yield "segments.csv", segments(table).to_csv(index=False).encode()
    if analysis.state.marks:
        yield "marks.csv", marks_to_csv(analysis.state.marks)
    yield "columns.csv", dictionary(analysis, ["person", *table.columns], lens).to_csv(index=False).encode()
    yield "analysis.json", (json.dumps(analysis.record, indent=2, ensure_ascii=False) + "\n").encode()
    yield "edits.json", (json.dumps(analysis.edits.to_dict(), indent=2, ensure_ascii=False) + "\n").encode()
    yield "report.html", analysis_report(analysis, lens, frames=frames, video=video)
    told = methods(analysis, lens)
    yield "methods.txt", (told.text + "\n\n" + "\n".join(told.references) + "\n").encode()
    yield "references.bib", told.bibtex.encode()
    yield "plan.yaml", plan_of(analysis, lens.smoothing_s, lens.model).to_yaml().encode()
    if plan := kept_plan(analysis):
        yield "registered-plan.yaml", plan.to_yaml().encode()
        yield "deviations.txt", ("\n".join(deviations(analysis, plan, lens) or ["None."]) + "\n").encode()
    if notice := kept_notice(analysis):
        yield "notice.html", notice_page(notice)
    for checkpoint in analysis.checkpoints:
        folder = with_weights(str(checkpoint["name"]), checkpoint.get("sha256"))
        if folder is not None:
            yield f"cards/{checkpoint['name']}.json", (folder / "card.json").read_bytes()


def _readme(analysis: Analysis, names: list[str]) -> bytes:
    """What is in the archive, and what it is not."""
    lines = [f"# Facial expressions in {_line(analysis.name)}", ""]
    lines += [f"Measured with FER workbench on {analysis.record['created'][:10]}. The video itself is not in here.", ""]
    if said := agreed_in_words(analysis):
        lines += [f"{_line(said)}.", ""]
    lines += [f"- `{name}`: {_FILES[name]}" for name in names if name in _FILES]
    lines += ["- `cards/`: cards of the networks"] if any(name.startswith("cards/") for name in names) else []
    lines += ["", "Tables are pseudonymised (people are numbers or the names that were given), not anonymous.", ""]
    lines += ["What is not claimed:", "", *(f"- {each}" for each in NOT_CLAIMED), ""]
    return "\n".join(lines).encode()


def _line(text: str) -> str:
    return " ".join(text.split())


__all__ = ["archive"]
