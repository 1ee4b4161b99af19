"""The five source systems as data: what their documents describe and report, and which of our recipes follows them."""

from fer_core.systems.reading import NAMES, read_system, system, systems
from fer_core.systems.records import (
    METRICS,
    Against,
    Claim,
    ClassTable,
    Contradiction,
    Curve,
    LiveSettings,
    Model,
    Reading,
    System,
)

__all__ = [
    "METRICS",
    "NAMES",
    "Against",
    "Claim",
    "ClassTable",
    "Contradiction",
    "Curve",
    "LiveSettings",
    "Model",
    "Reading",
    "System",
    "read_system",
    "system",
    "systems",
]
