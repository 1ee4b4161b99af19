"""Architectures, checkpoint folders and the classifier."""

from fer_core.models import mobilenet as _mobilenet  # noqa: F401  (fills the registry)
