"""Data sets: one record, readers for the layouts people have, and the FER+ label protocols."""

from fer_core.data.fer2013 import SPLITS, load_fer2013
from fer_core.data.ferplus import FERPLUS_PROTOCOLS, ferplus_labels, vote_distribution
from fer_core.data.records import VOTES, LabelledFaces

__all__ = [
    "FERPLUS_PROTOCOLS",
    "SPLITS",
    "VOTES",
    "LabelledFaces",
    "ferplus_labels",
    "load_fer2013",
    "vote_distribution",
]
