"""Bad files that people have."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from av.stream import Disposition

from tests.support.clips import write_clip, write_tone


def write_bad(folder: Path, kind: str) -> Path:
    """One of the bad files that people have."""
    path = folder / f"{kind}.mp4"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("These are the minutes of a meeting.\n" * 50)
    elif kind == "truncated":
        write_clip(path, [i / 25 for i in range(100)])
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "sound":
        write_tone(path)
    elif kind == "playlist":
        path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    elif kind == "heic":
        path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    elif kind == "bare":
        write_clip(path.with_suffix(".h264"), [0.0, 0.1]).rename(path)
    elif kind == "cover":
        cv2.imwrite(str(folder / "cover.png"), np.zeros((30, 30, 3), np.uint8))
        with av.open(str(path), "w") as container:
            cover = container.add_stream("png", rate=1)
            cover.width, cover.height, cover.pix_fmt = 30, 30, "rgb24"
            cover.disposition = Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((30, 30, 3), np.uint8), format="rgb24")))
            container.mux(cover.encode())
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(100_000))
    return path
