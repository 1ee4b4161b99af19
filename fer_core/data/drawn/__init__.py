"""Data sets of drawn faces, in every layout that ``open_dataset`` knows: to try, to test and to show everything on
pictures that show nobody."""

from fer_core.data.drawn.datasets import DRAWINGS, draw_dataset
from fer_core.data.drawn.faces import Person, draw_face, draw_person, draw_photo, grey, shown_emotions
from fer_core.data.drawn.fer2013 import write_csv, write_folders, write_parquet
from fer_core.data.drawn.files import save_picture

__all__ = [
    "DRAWINGS",
    "Person",
    "draw_dataset",
    "draw_face",
    "draw_person",
    "draw_photo",
    "grey",
    "save_picture",
    "shown_emotions",
    "write_csv",
    "write_folders",
    "write_parquet",
]
