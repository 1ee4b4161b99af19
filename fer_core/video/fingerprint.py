"""What tells a file from every other: its size and the hash of its bytes, taken before its first frame is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_core.errors import Cancelled, VideoError

_BLOCK_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class Fingerprint:
    """``size`` in bytes and ``sha256`` in hex digits of a file, as it was when it was opened."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str, goes_on: Callable[[], bool]) -> Fingerprint:
        """Read a file through, called ``name`` in messages, while ``goes_on`` says yes.

        Raises:
            Cancelled: it said no.
            VideoError: the file cannot be read to its end.
        """
        size, found = 0, hashlib.sha256()
        try:
            with path.open("rb", buffering=0) as file:
                while block := file.read(_BLOCK_BYTES):
                    size += len(block)
                    found.update(block)
                    if len(block) == _BLOCK_BYTES and not goes_on():
                        raise Cancelled("The analysis was stopped before the first frame.")
        except OSError as error:
            raise VideoError(
                f"{name} cannot be read to its end ({error.strerror or error}). Is the drive or network it lies on "
                f"still there? Copy it to this machine."
            ) from error
        return cls(size, found.hexdigest())

    def still_fits(self, path: Path) -> bool:
        """Whether the file is still as long; one that is gone counts, since what was open could be read on."""
        try:
            return path.stat().st_size == self.size
        except OSError:
            return True
