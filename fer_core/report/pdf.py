"""A report as PDF: printed by Chromium where it is installed, else by WeasyPrint (an extra)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from fer_core.errors import InputError
from fer_core.files import replacing

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
TIMEOUT_S = 120
MISSING = (
    "A PDF needs Chromium or Chrome on this machine, or 'pip install weasyprint' (the extra [pdf]). Or open the HTML "
    "report in any browser and print it into a file."
)


def browser() -> str:
    """The program that prints; empty where none is installed."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


def can_print() -> bool:
    """Whether ``write_pdf`` can."""
    return bool(browser()) or importlib.util.find_spec("weasyprint") is not None


def to_pdf(page: bytes) -> bytes:
    """The pages of an HTML file that needs nothing else, A4.

    The browser starts with an empty profile and no way to any network. The bytes differ from run to run: printers write
    the time into them.

    Raises:
        InputError: there is no printer here, or it failed; the message says what to do.
    """
    with tempfile.TemporaryDirectory(prefix="fer-report-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source, out = folder / "report.html", folder / "report.pdf"
        source.write_bytes(page)
        if program := browser():
            _by_browser(program, source, out, folder / "profile")
        elif importlib.util.find_spec("weasyprint") is not None:
            _by_weasyprint(source, out)
        else:
            raise InputError(MISSING)
        return out.read_bytes()


def write_pdf(page: bytes, out: Path) -> None:
    """``to_pdf`` into a file, whole or not at all."""
    made = to_pdf(page)
    with replacing(out) as new:
        new.write_bytes(made)


def _by_browser(program: str, source: Path, out: Path, profile: Path) -> None:
    command = [
        program, "--headless=new", "--disable-gpu", "--disable-extensions", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--proxy-server=127.0.0.1:9",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer",
        f"--user-data-dir={profile}", f"--print-to-pdf={out}", source.as_uri(),
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # as root it starts in no other way; the page has no script
    try:
        subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(
            f"{Path(program).name} could not print the report ({type(error).__name__}). {MISSING}"
        ) from error
    if not out.is_file():
        raise InputError(f"{Path(program).name} printed nothing. {MISSING}")


def _by_weasyprint(source: Path, out: Path) -> None:
    from weasyprint import HTML  # type: ignore[import-not-found]

    HTML(filename=str(source), url_fetcher=_nothing).write_pdf(str(out))


def _nothing(address: str, *_: object, **__: object) -> dict[str, object]:
    """What is fetched for an address: pictures that the page itself holds, nothing else."""
    from weasyprint import default_url_fetcher

    if not address.startswith("data:"):
        raise ValueError("Nothing is fetched for a report.")
    return dict(default_url_fetcher(address))


__all__ = ["MISSING", "browser", "can_print", "to_pdf", "write_pdf"]
