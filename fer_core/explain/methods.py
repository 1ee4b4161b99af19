"""Methods of heatmaps by name, with their names for people. Needs no torch."""

from collections.abc import Mapping

SCORE_CAM = "scorecam"
METHODS: Mapping[str, str] = {
    "gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++", "hirescam": "HiResCAM", "layercam": "LayerCAM",
    "elementwise": "element-wise Grad-CAM", SCORE_CAM: "Score-CAM",
}  # fmt: skip
TOGETHER = "+"
"""Between the names of several layers whose maps are averaged."""


def in_words(method: str, layer: str) -> str:
    """How a map was made, such as ``LayerCAM on backbone.5``; a name that is not known here stays as it is."""
    return f"{METHODS.get(method, method)} on {layer.replace(TOGETHER, ' and ')}"
