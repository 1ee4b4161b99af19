"""Whatever a user does on the command line ends in one sentence, never in a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_core import cli
from fer_core.cli_parts import in_one_sentence, with_dashes
from fer_core.errors import Cancelled, InputError
from tests.support.bad_files import write_bad
from training import drawn


def raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InputError("That is no video."), 1, "go: That is no video."),
        (Cancelled("Stopped at the second frame."), 130, "Stopped at the second frame."),
        (KeyboardInterrupt(), 130, "go: Stopped."),
        (OSError(errno.ENOSPC, "No space left on device", "/data/a"), 1, "go: The disk is full."),
        (PermissionError(errno.EACCES, "Permission denied", "/data/a"), 1, "go: Permission denied (/data/a)."),
        (IsADirectoryError(errno.EISDIR, "Is a directory", b"/caf\xe9"), 1, "go: Is a directory (/caf\ufffd)."),
        (OSError(errno.ENAMETOOLONG, "File name too long"), 1, "go: File name too long."),
        (OSError("odd"), 1, "go: odd."),
        (MemoryError(), 1, "go: There is not enough memory for this. Close other programs, or use a smaller file."),
    ],
)  # fmt: skip
def test_what_a_user_can_cause_is_one_sentence(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, words: str
) -> None:
    assert in_one_sentence("go", raising(error)) == status
    assert capsys.readouterr().err == words + "\n"


def test_a_mistake_of_the_program_is_no_sentence() -> None:
    with pytest.raises(ValueError, match="ours"):
        in_one_sentence("go", raising(ValueError("ours")))


def alone(code: str, **kwargs: object) -> subprocess.Popen[bytes]:
    code = f"import sys; from fer_core.cli_parts import in_one_sentence; {code}"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """As ``| head -1`` does."""
    running = alone("sys.exit(in_one_sentence('go', lambda: [print('x' * 999) for _ in range(999)] and 0))")
    assert running.stdout is not None and running.stdout.read(1) == b"x"
    running.stdout.close()
    assert running.wait(60) == 1 and running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()


def test_a_terminal_of_few_letters_shows_what_it_can() -> None:
    running = alone(
        "sys.exit(in_one_sentence('go', lambda: print('caf\\udce9 \u2192') or 0))",
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    said, complained = running.communicate(timeout=60)
    assert (running.returncode, complained) == (0, b"") and said.startswith(b"caf?")


def test_a_file_with_a_leading_dash_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-x.mp4", "-h"):
        Path(name).touch()
    given = ["analyze", "-x.mp4", "-h", "-y.mp4", "--out", "-"]
    assert with_dashes(given) == ["analyze", "./-x.mp4", *given[2:]]


def test_a_picture_of_an_odd_name_is_analysed_and_told(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-P01:x").write_bytes(cv2.imencode(".tiff", portrait[:, :, ::-1])[1].tobytes())
    assert cli.main(["analyze", "-P01:x", "--out", "a:b", "--json"]) == 0
    assert '"name": "-P01:x"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["analyze", "none.mp4", "--out", "a"], "There is no file none.mp4"),
        (["analyze", ".", "--out", "a"], ". is a folder"),
        (["analyze", "text.mp4", "--out", "a"], "a text file"),
        (["analyze", "x.png", "--out", "text.mp4/a"], "text.mp4/a cannot be written: Not a directory"),
        (["analyze", "x.png", "--out", "x" * 300], "cannot be written: File name too long"),
        (["analyze", "x.png", "--out", "a", "--checkpoint", "none"], "none"),
        (["evaluate", "none", "--data", "text.mp4"], "none"),
        (["evaluate", "mobilenetv2-ferplus", "--data", "text.mp4"], "text.mp4"),
        (["copies", "--data", "nowhere"], "nowhere"),
        (["robustness", "mobilenetv2-ferplus", "--data", "nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_every_command_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_bad(tmp_path, "text")
    cv2.imwrite("x.png", np.zeros((60, 60, 3), np.uint8))
    assert cli.main(given) == 1
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said and said.count("\n") == 1


def test_an_extra_that_cannot_be_made_leaves_the_analysis_told(
    tmp_path: Path, portrait: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), portrait[:, :, ::-1])
    assert cli.main(["analyze", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--annotated"]) == 1
    said = capsys.readouterr()
    assert "Person 1" in said.out and f"Written to {tmp_path / 'out'}" in said.out
    assert "only videos can be written as video" in said.err


def test_help_names_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["analyze", "--help"])
    said = capsys.readouterr().out
    for name in ("frame", "sharpness", "brightness", "lm0_x ... lm4_y", "p_angry ... p_neutral", "occlusion", "group"):
        assert f"\n    {name} " in said


def test_the_commands_of_training_end_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert drawn.main(["fer2013-csv", str(tmp_path / "file" / "below")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "Not a directory" in said and said.count("\n") == 1
