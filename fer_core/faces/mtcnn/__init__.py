"""MTCNN (Zhang, Zhang, Li and Qiao 2016): three small networks in a row, on a CPU.

``networks`` takes a picture through them, and ``detector`` puts them behind our interface.
"""

from fer_core.faces.mtcnn.detector import MtcnnDetector

__all__ = ["MtcnnDetector"]
