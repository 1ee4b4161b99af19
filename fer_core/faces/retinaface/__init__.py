"""RetinaFace (Deng, Guo, Ververas, Kotsia and Zafeiriou 2020): one network finds faces of all sizes in one pass.

``network`` is the network, ``boxes`` turns its answers into boxes and landmarks, ``weights`` reads what
``python -m fer_core.faces.convert`` wrote, and ``detector`` puts them behind our interface.
"""

from fer_core.faces.retinaface.detector import RetinaFaceDetector
from fer_core.faces.retinaface.network import BACKBONES, RetinaFace
from fer_core.faces.retinaface.weights import load_retinaface

__all__ = ["BACKBONES", "RetinaFace", "RetinaFaceDetector", "load_retinaface"]
