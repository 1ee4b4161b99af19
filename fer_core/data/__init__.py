"""Data sets: the records, readers for the layouts people have, the FER+ label protocols, mixtures and splits.

Drawn data sets are in ``fer_core.data.drawn``.
"""

from fer_core.data.classes import class_mapping
from fer_core.data.fer2013 import SPLITS, load_fer2013
from fer_core.data.ferplus import FERPLUS_PROTOCOLS, ferplus_labels, vote_distribution
from fer_core.data.layouts import open_dataset
from fer_core.data.mixture import Mixture, at_most, counts_table
from fer_core.data.records import VOTES, DataSet, FaceSet, LabelledFaces
from fer_core.data.splits import folds, groups_of, hold_out, pixel_hashes, without_copies

__all__ = [
    "FERPLUS_PROTOCOLS",
    "SPLITS",
    "VOTES",
    "DataSet",
    "FaceSet",
    "LabelledFaces",
    "Mixture",
    "at_most",
    "class_mapping",
    "counts_table",
    "ferplus_labels",
    "folds",
    "groups_of",
    "hold_out",
    "load_fer2013",
    "open_dataset",
    "pixel_hashes",
    "vote_distribution",
    "without_copies",
]
