"""``python -m fer_core``."""

import sys
from contextlib import suppress

status = 130
with suppress(KeyboardInterrupt):  # while the libraries are loaded; ``main`` sees to the rest
    from fer_core.cli import main

    status = main()
sys.exit(status)
