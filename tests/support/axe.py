"""Whether people who see, hear or move otherwise can use a page, as far as axe-core finds out."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

GRAVE = ("serious", "critical")


def grave_findings(page: Any) -> list[str]:
    """What axe calls serious or critical on the page as it is shown now, each with its place."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]} {[said['message'] for said in node['any']]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]
