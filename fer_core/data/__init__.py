"""Data sets: the records, readers for the layouts people have, and the FER+ label protocols."""

from fer_core.data.fer2013 import SPLITS, load_fer2013
from fer_core.data.ferplus import FERPLUS_PROTOCOLS, ferplus_labels, vote_distribution
from fer_core.data.layouts import open_dataset
from fer_core.data.records import VOTES, DataSet, FaceSet, LabelledFaces

__all__ = [
    "FERPLUS_PROTOCOLS",
    "SPLITS",
    "VOTES",
    "DataSet",
    "FaceSet",
    "LabelledFaces",
    "ferplus_labels",
    "load_fer2013",
    "open_dataset",
    "vote_distribution",
]
