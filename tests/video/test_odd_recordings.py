"""What an analysis says about odd recordings, and that what is made of them is upright and in step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from fer_core import cli
from fer_core.errors import InputError
from fer_core.faces import make_detector
from fer_core.models.classifier import Classifier
from fer_core.video.annotate import annotate_video, browser_proxy, to_blur
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.timeline import without_rows
from tests.support.clips import write_clip
from tests.support.odd_clips import (
    claps,
    joined,
    stored_for,
    with_matrix,
    without_packets,
    write_claps,
    write_joined,
    write_parts,
    write_tracks,
)
from tests.support.tables import table

MIRRORED = (0, -1, -1, 0)


@pytest.fixture(scope="module")
def selfie(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """A face in a picture that is stored lying and mirrored."""
    folder = tmp_path_factory.mktemp("selfie")
    pictures = [stored_for(np.roll(portrait, 2 * i, axis=1), MIRRORED) for i in range(3)]
    plain = write_clip(folder / "plain.mp4", [i * 0.3 for i in range(3)], pictures=pictures)
    return with_matrix(plain, folder / "selfie.mp4", MIRRORED)


def record_of(clip: Path, out: Path, classifier: Classifier, **settings: Any) -> dict[str, Any]:
    return open_analysis(analyze(clip, out, checkpoint=classifier, settings=Settings(**settings))).record


def frames_of(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with VideoReader(path) as reader:
        frames = list(reader.frames())
    return [frame.time_s for frame in frames], [frame.image for frame in frames]


# records


def test_a_joined_recording_is_told(tmp_path: Path, classifier: Classifier) -> None:
    clip = write_joined(tmp_path / "a.ts")
    record = record_of(clip, tmp_path / "a", classifier)
    first_s, check = record["source"]["first_s"], record["time_check"]
    assert check["frames_analysed"] == 50 and check["frames_dropped"] == 0 and record["complete"]
    assert check["restarts_s"] == [pytest.approx(first_s + 1, abs=1e-3)]
    assert record["source"]["duration_s"] == pytest.approx(first_s + 2, abs=1e-3)
    assert any("starts again at 1.0" in message and "joined" in message for message in record["messages"])
    part = record_of(clip, tmp_path / "b", classifier, end_s=0.5)
    assert part["time_check"]["restarts_s"] == [] and not any("again" in each for each in part["messages"])


def test_a_change_of_size_is_told_and_played_as_a_copy(tmp_path: Path, classifier: Classifier) -> None:
    wide, tall = np.full((64, 96, 3), 90, np.uint8), np.full((96, 48, 3), 90, np.uint8)
    record = record_of(write_parts(tmp_path / "a.webm", [[wide] * 5, [tall] * 5], "libvpx"), tmp_path / "a", classifier)
    assert record["time_check"]["size_changes_s"] == [0.2] and record["source"]["plays_in_browser"] is False
    assert any("at 0.20 s, first to 48×96" in message for message in record["messages"])


def test_several_tracks_are_told_and_one_can_be_chosen(
    tmp_path: Path, classifier: Classifier, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_tracks(tmp_path / "a.mp4", [40, 200], 1)
    record = record_of(clip, tmp_path / "a", classifier)
    assert record["source"]["track"] == 2 and len(record["source"]["tracks"]) == 2
    assert any("2 picture tracks; the one that players show (2: 96×64)" in each for each in record["messages"])
    command = ["analyze", str(clip), "--out", str(tmp_path / "b"), "--track", "1", "--annotated"]
    assert cli.main(command) == 0
    assert "the one that was chosen (1: 96×64)" in capsys.readouterr().out
    chosen = open_analysis(tmp_path / "b")
    assert (chosen.picture_track, chosen.record["settings"]["track"]) == (1, 1)
    assert chosen.record["source"]["plays_in_browser"] is False
    assert np.mean(frames_of(tmp_path / "b" / "annotated.mp4")[1]) < 60
    assert cli.main([*command[:3], str(tmp_path / "c"), "--track", "3"]) == 1
    assert "no track 3" in capsys.readouterr().err


def test_analyses_of_version_0_9_are_of_the_first_track(tmp_path: Path) -> None:
    assert Analysis(tmp_path, {"source": {"name": "a.mp4"}}).picture_track == 1


def test_corrupt_frames_are_told(tmp_path: Path, classifier: Classifier) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 64, 96, 3), np.uint8)
    clip = write_clip(tmp_path / "a.ts", [i / 25 for i in range(20)], pictures=list(noise), sound_from_s=0.0)
    lost = without_packets(clip, tmp_path / "b.ts", range(100, 103))
    record = record_of(lost, tmp_path / "a", classifier)
    corrupt = record["time_check"]["frames_corrupt"]
    assert corrupt >= 1 and record["time_check"]["frames_analysed"] >= 17
    assert any(f"{corrupt} of" in message and "corrupt" in message for message in record["messages"])


def test_a_standing_frame_is_seen_as_long_as_it_stands(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier
) -> None:
    clip = write_clip(tmp_path / "a.mp4", [0.0, 0.04, 0.08, 3.08, 3.12], pictures=[portrait] * 5)
    record = record_of(clip, tmp_path / "a", classifier)
    (person,) = record["summary"]["people"]
    assert person["seen_s"] == pytest.approx(3.16, abs=0.01)
    assert person["longest"]["duration_s"] == pytest.approx(3.16, abs=0.01)
    lasts = open_analysis(tmp_path / "a").timeline(["time_s", "lasts_s"])["lasts_s"]
    np.testing.assert_allclose(lasts[:4], [0.04, 0.04, 3.0, 0.04], atol=1e-3)


# copies


def test_a_mirrored_video_is_analysed_and_copied_upright(
    tmp_path: Path, selfie: Path, portrait: np.ndarray, classifier: Classifier
) -> None:
    analysis = open_analysis(analyze(selfie, tmp_path / "a", checkpoint=classifier))
    timeline = analysis.timeline()
    assert len(analysis.people) == 1 and (timeline["emotion"] == "happy").all()
    blurred, start_s, end_s = to_blur(analysis, 0.0, None)
    nobody = timeline.iloc[:0]
    copies = {
        "proxy": browser_proxy(selfie, tmp_path / "proxy.mp4"),
        "annotated": annotate_video(selfie, nobody, tmp_path / "annotated.mp4"),
        "blurred": annotate_video(selfie, nobody, tmp_path / "b.mp4", start_s=start_s, end_s=end_s, blurred=blurred),
    }
    times, images = frames_of(selfie)
    for name, copy in copies.items():
        at, shown = frames_of(copy)
        np.testing.assert_allclose(at, times, atol=1e-3)
        apart = np.abs(np.stack(shown).astype(int) - np.stack(images)).mean()
        assert apart < (4 if name != "blurred" else 60)
    np.testing.assert_allclose(images[0].astype(int), portrait, atol=60)
    found = make_detector(Settings().detector, min_face_px=40, device="cpu").detect(shown[-1:])
    assert [len(faces) for faces in found] == [0]


@pytest.mark.parametrize("name", ["a.webm", "a.ts"])
def test_copies_of_a_video_that_changes_its_size_fit_its_boxes(tmp_path: Path, name: str) -> None:
    wide, tall = np.full((64, 96, 3), 200, np.uint8), np.full((96, 48, 3), 200, np.uint8)
    clip = write_parts(tmp_path / name, [[wide] * 5, [tall] * 5], "libvpx" if name == "a.webm" else "libx264")
    times, images = frames_of(clip)
    copy = browser_proxy(clip, tmp_path / "proxy.mp4")
    at, shown = frames_of(copy)
    np.testing.assert_allclose(at, times, atol=1e-3)
    assert np.abs(np.stack(shown).astype(int) - np.stack(images)).mean() < 4


@pytest.mark.parametrize(("name", "sound"), [("a.ts", "aac"), ("a.ts", "mp2"), ("a.mpg", "mp2"), ("a.vob", "ac3")])
def test_sound_stays_in_step_where_the_clock_starts_again(tmp_path: Path, name: str, sound: str) -> None:
    part = write_claps(tmp_path / f"part{Path(name).suffix}", sound)
    clip = joined(tmp_path / name, part, part, part)
    nobody = table([(0, 0.0, -1, {})])
    whole = browser_proxy(clip, tmp_path / "proxy.mp4")
    flashes, beeps = claps(whole)
    assert len(flashes) == len(beeps) == 3
    np.testing.assert_allclose(np.diff(flashes), 1.0, atol=1e-3)
    np.testing.assert_allclose(beeps, flashes, atol=0.045)
    later = annotate_video(clip, nobody, tmp_path / "later.mp4", start_s=1.2, end_s=2.9)
    flashes, beeps = claps(later)
    assert len(flashes) == 2
    np.testing.assert_allclose(beeps, flashes, atol=0.045)


def test_the_sound_that_players_play_is_kept(tmp_path: Path) -> None:
    """Of a silent track and one that beeps, the one that is marked as default."""
    silent = write_claps(tmp_path / "silent.mkv", "aac", is_silent=True)
    loud = write_claps(tmp_path / "loud.mkv", "aac")
    for default, beeps in ((0, 0), (1, 1)):
        with av.open(str(tmp_path / f"{default}.mkv"), "w") as container:
            given = [av.open(str(path)) for path in (silent, loud)]
            tracks = [given[0].streams.video[0], given[0].streams.audio[0], given[1].streams.audio[0]]
            added = [container.add_stream_from_template(track) for track in tracks]
            for number, stream in enumerate(added[1:]):
                stream.disposition = Disposition.default if number == default else Disposition(0)
            for track, stream in zip(tracks, added, strict=True):
                for packet in track.container.demux(track):
                    if packet.dts is not None:
                        packet.stream = stream
                        container.mux(packet)
                track.container.seek(0)
            for each in given:
                each.close()
        assert len(claps(browser_proxy(tmp_path / f"{default}.mkv", tmp_path / "proxy.mp4"))[1]) == beeps


def test_a_last_picture_that_stands_does_so_in_a_copy(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", [0.0, 0.04, 2.04])
    with VideoReader(browser_proxy(clip, tmp_path / "a.mp4")) as reader:
        short = reader.info.duration_s
    with VideoReader(tmp_path / "a.mp4") as reader:
        *_, last = reader.frames()
    assert last.lasts_s == pytest.approx(short - 2.04, abs=1e-3)


def test_damaged_sound_leaves_the_pictures(tmp_path: Path) -> None:
    clip = write_joined(tmp_path / "a.ts", frames=100)
    data = bytearray(clip.read_bytes())
    for at in np.random.default_rng(1).integers(188 * 10, len(data), 400):
        data[at] ^= 0xFF
    clip.write_bytes(data)
    times, _ = frames_of(clip)
    at, _ = frames_of(browser_proxy(clip, tmp_path / "proxy.mp4"))
    np.testing.assert_allclose(at, times, atol=1e-3)


def test_blurring_asks_what_was_analysed(tmp_path: Path, selfie: Path, classifier: Classifier) -> None:
    """Not what was meant: a preview leaves frames out without a number of frames per second."""
    sparse = open_analysis(analyze(selfie, tmp_path / "a", checkpoint=classifier, settings=Settings(mode="preview")))
    with pytest.raises(InputError, match="every frame"):
        to_blur(sparse, 0.0, None)


def test_faceless_rows_keep_how_long_their_frame_stands() -> None:
    rows = table([(0, 0.0, 0, {"happy": 0.9}), (1, 0.1, 0, {"happy": 0.9})]).assign(lasts_s=[0.1, 3.0])
    kept = without_rows(rows, np.array([False, True]))
    assert kept["lasts_s"].tolist() == [0.1, 3.0] and kept["track"].tolist() == [0, -1]
