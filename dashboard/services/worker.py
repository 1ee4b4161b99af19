"""A worker process: ``python -m dashboard.services.worker analyses|inspector``.

Ends when its standard input does, that is when the process that started it is gone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

if hasattr(os, "nice"):
    os.nice(10)  # before the heavy imports: pages come first, however much there is to analyse

from dashboard.services import jobs, places, queues, runner, warm, work
from dashboard.services.kinds import INSPECTOR
from fer_core.errors import FerError
from fer_core.models.folders import DEFAULT_CHECKPOINT

CHECK_S, IDLE_S = 5.0, 10.0
LEAST_MEMORY = 8 * 1024**3
"""What a worker may always take; more where the machine has twice as much."""


def main(name: str) -> None:
    logging.basicConfig(
        filename=places.logs() / f"{name}.log", level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    bound_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_find_lost, args=(name,), daemon=True).start()
    threading.Thread(target=_warm, args=(name,), daemon=True).start()
    queues.hand_in(work.run_job)
    consumer = queues.QUEUES[name].create_consumer(
        workers=1,
        worker_type="thread",
        initial_delay=0.05,
        max_delay=0.1 if name == INSPECTOR else 0.5,
        periodic=False,
        check_worker_health=False,
    )
    consumer.run()


def bound_memory(most_bytes: int | None = None) -> None:
    """Let this process take half of the machine's memory at most: a file that asks for more fails alone, and what else
    runs here goes on. Where the system knows no such limit there is none."""
    try:
        import resource

        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes or max(LEAST_MEMORY, total // 2),) * 2)
    except (ImportError, OSError, ValueError):
        return


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _find_lost(name: str) -> None:
    while True:
        with runner.log_errors():
            queues.requeue_lost(name)
        time.sleep(CHECK_S)


def _warm(name: str) -> None:
    """Load the default model before it is asked for; and once nobody waits for anything, what heatmaps need, which
    takes seconds."""
    try:
        classifier = warm.classifier(DEFAULT_CHECKPOINT)
        if name == INSPECTOR:
            time.sleep(IDLE_S)
            while jobs.with_state(*jobs.ACTIVE):
                time.sleep(IDLE_S)
            import numpy as np

            from fer_core.explain import heatmaps

            size = classifier.card.crop.size
            heatmaps(classifier, np.zeros((1, size, size, 3), np.uint8))
    except FerError:
        logging.exception("The default checkpoint cannot be loaded")


if __name__ == "__main__":
    main(sys.argv[1])
