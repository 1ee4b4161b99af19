"""The report of an analysis: complete, the same twice, harmless whatever names are in it, small."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fer_core import cli
from fer_core.errors import InputError
from fer_core.report.analysis import analysis_report
from fer_core.report.archive import archive
from fer_core.report.key_frames import MAX_FRAMES, key_moments
from fer_core.report.methods import NOT_CLAIMED, limit_in_words, methods
from fer_core.report.notice import LANGUAGES, Notice, keep_notice, kept_notice, notice_page
from fer_core.report.references import REFERENCES, bibtex
from fer_core.video.plan import keep_plan, plan_of
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens

HOSTILE = "<script>alert(1)</script> & <img src=x>"


@pytest.fixture
def filmed(mine: Analysis, clip: Path) -> Analysis:
    """The clip's analysis with its video, a name, marks, an agreement and a plan."""
    shutil.copy(clip, mine.folder / "source.mp4")
    mine = keep_plan(mine, plan_of(mine, title="Planned <b>well</b>"))
    marks = [{"id": "m", "label": HOSTILE, "start_s": 0.5, "end_s": None, "track": None}]
    mine = mine.do({"do": "rename", "person": 0, "name": HOSTILE[:50]}).do({"do": "marks", "set": marks, "remove": []})
    return mine.rename(HOSTILE).agree("2026-12-01", HOSTILE)


def pictures(page: bytes) -> list[np.ndarray]:
    found = re.findall(rb'src="data:image/jpeg;base64,([^"]+)"', page)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(each), np.uint8), cv2.IMREAD_COLOR) for each in found]


def test_it_is_whole_harmless_and_the_same_twice(filmed: Analysis) -> None:
    page = analysis_report(filmed)
    assert analysis_report(open_analysis(filmed.folder)) == page
    text = page.decode()
    for heading in (
        "What is not claimed", "Key frames", "Timelines", "People", "How far to trust it", "Segments", "Marks",
        "Settings", "Time check", "Models", "Methods, for a paper", "References", "Versions and hashes",
    ):  # fmt: skip
        assert f">{heading}</h" in text, heading
    assert "<script" not in text and "<b>" not in text and "<img src=x" not in text
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text) and "@import" not in text and "url(http" not in text
    assert filmed.record["source"]["sha256"] in text and "2026-12-01 &lt;script&gt;" in text
    assert "Plan “Planned &lt;b&gt;well&lt;/b&gt;”" in text and text.count('id="unseen-0"') == 1


def test_key_frames_are_blurred_plain_or_none(filmed: Analysis, portrait: np.ndarray) -> None:
    blurred, plain, none = (pictures(analysis_report(filmed, frames=kind)) for kind in ("blurred", "plain", "none"))
    assert len(blurred) == len(plain) >= 1 and none == []
    face = filmed.timeline().dropna(subset=["x0"]).iloc[0]
    rows, columns = slice(int(face.y0) + 20, int(face.y1) - 20), slice(int(face.x0) + 20, int(face.x1) - 20)

    def detail(image: np.ndarray) -> float:
        scale = image.shape[1] / filmed.record["source"]["width"]
        inner = image[
            int(rows.start * scale) : int(rows.stop * scale), int(columns.start * scale) : int(columns.stop * scale)
        ]
        return float(cv2.Laplacian(cv2.GaussianBlur(inner, (3, 3), 0), cv2.CV_64F).var())

    assert detail(blurred[0]) < detail(plain[0]) / 2
    with pytest.raises(InputError, match="expected one of blurred, plain, none"):
        analysis_report(filmed, frames="all")


def test_without_the_video_it_says_so_and_another_one_is_refused(mine: Analysis, clip: Path, tmp_path: Path) -> None:
    page = analysis_report(mine)
    assert b"The video is not kept with this analysis" in page and not pictures(page)
    assert pictures(analysis_report(mine, video=clip))
    (tmp_path / "other.mp4").write_bytes(clip.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"other\.mp4 is not the file that was analysed \(talk\.mp4\)"):
        analysis_report(mine, video=tmp_path / "other.mp4")


def test_key_moments_are_of_different_expressions_and_usable_ones_first() -> None:
    columns = ("p_angry", "p_happy", "p_sad")
    rows = [
        (0.0, 0, "happy", 0.9, True),
        (1.0, 0, "happy", 0.99, False),
        (2.0, 0, "sad", 0.7, True),
        (3.0, -1, None, 0, False),
    ]
    table = pd.DataFrame(rows, columns=["time_s", "track", "emotion", "top", "usable"])
    for name in columns:
        table[name] = np.where(table["emotion"] == name.removeprefix("p_"), table["top"], 0.0)
    assert key_moments(table) == [0.0, 2.0] and key_moments(table[table["track"] < 0]) == []
    assert MAX_FRAMES == 6


def test_ten_minutes_with_six_key_frames_are_below_five_megabytes(mine: Analysis) -> None:
    """15,000 frames of a face that changes its expression all the time."""
    rng, table = np.random.default_rng(0), mine.timeline()
    row = table[table["track"] >= 0].iloc[[0]]
    long = pd.concat([row] * 15_000, ignore_index=True)
    long["frame"], long["time_s"] = np.arange(len(long), dtype=np.int32), np.arange(len(long)) / 25
    scores = [name for name in long if str(name).startswith("p_")]
    long[scores] = rng.dirichlet(np.full(len(scores), 0.3), len(long)).astype(np.float32)
    long.to_parquet(mine.folder / "timeline.parquet", index=False)
    size = len(analysis_report(open_analysis(mine.folder)))
    frame = 60_000 * 4 / 3  # a key frame of 640 × 360 as text
    assert size + 6 * frame < 5_000_000


def test_a_changed_limit_changes_hash_and_paragraph(mine: Analysis) -> None:
    before, hash_before = methods(mine), plan_of(mine).sha256
    limits = mine.state.limits.__class__(min_side_px=77)
    after = methods(mine.do({"do": "limits", "limits": limits.__dict__}))
    assert "side of the face below 77 px" in after.text and "side of the face below 20 px" in before.text
    assert hash_before[:16] in before.text and hash_before[:16] not in after.text


def test_the_paragraph_says_what_was_set(mine: Analysis) -> None:
    said = methods(mine, Lens(0.5)).text
    for part in (
        "MTCNN (Zhang et al., 2016)", "at least 40 px", "All 16 frames were analysed", "12 (75.0 %)",
        "mean over 0.5 s", "FER2013 (Goodfellow et al., 2013)", "votes of ten people", "(Barsoum et al., 2016)",
        "divided by a temperature", "it was 84.1 % (macro recall 77.5 %", "halfway",
        "Nobody was merged, split or excluded by hand", "its frame rate varied",
        "not felt emotion (Barrett et al., 2019)",
    ):  # fmt: skip
        assert part in said, part
    merged = mine.do({"do": "exclude", "person": None, "start_s": 0.0, "end_s": 0.15}).do(
        {"do": "prior", "choice": "as_trained"}
    )
    said = methods(merged).text
    assert "By hand, a span or person was excluded (once)" in said and "not adjusted for how common" in said
    keys = methods(mine).keys
    assert len(methods(mine).references) == len(keys) and all(f"{{{key}," in methods(mine).bibtex for key in keys)


def test_references_are_whole_and_in_bibtex() -> None:
    text = bibtex(REFERENCES)
    assert text.count("@") == len(REFERENCES) and text.count("{") == text.count("}")
    assert all(each.doi or each.address or each.key == "king2009" for each in REFERENCES.values())


def test_limits_that_ask_for_nothing_are_not_told() -> None:
    assert (
        limit_in_words("max_occlusion", 1.0)
        == limit_in_words("min_probability", 0.0)
        == limit_in_words("max_turn", None)
        == ""
    )
    assert limit_in_words("max_yaw_deg", 45.0) == "turned: to a side by more than 45 degrees"


def test_the_archive_holds_everything_but_the_video(filmed: Analysis) -> None:
    keep_notice(filmed, Notice("A", "B", "C", "D", "E"))
    made = archive(filmed)
    assert archive(open_analysis(filmed.folder)) == made
    with zipfile.ZipFile(io.BytesIO(made)) as zipped:
        names = set(zipped.namelist())
        timeline = pd.read_csv(zipped.open("timeline.csv"))
        columns = pd.read_csv(zipped.open("columns.csv"))["column"].tolist()
        readme = zipped.read("README.md").decode()
        deviating = zipped.read("deviations.txt").decode()
        assert json.loads(zipped.read("analysis.json"))["source"]["name"] == "talk.mp4"
    assert {"report.html", "plan.yaml", "registered-plan.yaml", "references.bib", "notice.html", "marks.csv"} <= names
    assert not any(name.endswith((".mp4", ".jpg")) for name in names) and any(
        name.startswith("cards/") for name in names
    )
    assert set(timeline.columns) <= set(columns) and len(timeline) == 16
    assert all(f"`{name}`" in readme for name in names if not name.startswith(("cards/", "README")))
    assert "pseudonymised" in readme and "not anonymous" in readme and NOT_CLAIMED[0] in readme
    assert deviating == "None.\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_in_each_language(mine: Analysis, language: str) -> None:
    notice = Notice("Lab <X>", "Video of your face", "A study", "Five years", "lab@example.org", language)
    keep_notice(mine, notice)
    assert kept_notice(mine) == notice
    page = notice_page(notice).decode()
    assert f'<html lang="{language}">' in page and "Lab &lt;X&gt;" in page and page.count("<h2>") == 3
    assert {"en": "pseudonymised", "es": "seudonimización", "de": "pseudonymisiert"}[language] in page
    assert "the notice is kept with the analysis" in analysis_report(mine, frames="none").decode()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["", "b", "c", "d", "e"], "'who'"),
        (["a", "b", "c", "d", "e" * 2000], "'contact'"),
        (["a", "b", "c", "d", "e", "fr"], "'fr'"),
    ],
)
def test_a_notice_that_says_nothing(values: Sequence[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Notice(*values)


def test_told_and_agreed_is_kept_and_stands_in_exports(mine: Analysis) -> None:
    from fer_core.video.export import export

    assert mine.agreed is None and b"NOTE" not in export(mine, "vtt")
    said = mine.agree("2026-12-01", "By letter --> all")
    assert said.agreed == {"date": "2026-12-01", "note": "By letter --> all"}
    assert said.do({"do": "rename", "person": 0, "name": "Ana"}).agreed == said.agreed, "edits leave it"
    assert json.loads(export(said, "json"))["agreed"] == said.agreed
    assert export(said, "vtt").startswith("WEBVTT\n\nNOTE Told and agreed on 2026-12-01: By letter → all\n\n".encode())
    assert pd.read_parquet(io.BytesIO(export(said, "parquet"))).attrs["agreed"] == said.agreed
    assert said.agree("").agreed is None
    for day, note in (("2026-13-01", ""), ("yesterday", ""), ("2026-12-01", "x" * 3000)):
        with pytest.raises(InputError):
            mine.agree(day, note)


def test_the_command_writes_report_and_archive(filmed: Analysis, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "new" / "talk.html"
    assert cli.main(["report", str(filmed.folder), "--out", str(out), "--archive", str(tmp_path / "talk.zip")]) == 0
    assert out.read_bytes() == analysis_report(filmed) and zipfile.is_zipfile(tmp_path / "talk.zip")
    for given, told in (
        ([str(filmed.folder), "--out", str(tmp_path / "talk.pdf")], "ends with .html"),
        (["nothing-there", "--out", str(out)], "nothing-there"),
        ([str(filmed.folder), "--out", str(out), "--model", "x"], "no scores of 'x'"),
        (["mru-2025-cnn", "--out", str(out), "--archive", "x.zip"], "is no analysis"),
    ):
        assert cli.main(["report", *given]) == 1
        assert told in capsys.readouterr().err
