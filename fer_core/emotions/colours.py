"""One colour for each emotion and group, the same on a light and on a dark page.

The seven started from the hues of Okabe and Ito's palette for colour-blind readers (2008). A test simulates three
kinds of colour blindness (Machado et al. 2009) and holds every pair apart, and each colour apart from both backgrounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EMOTION_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "angry": "#BE0000",
        "disgust": "#009460",
        "fear": "#A32D7B",
        "happy": "#F0B429",
        "sad": "#005BE9",
        "surprise": "#00B1FF",
        "neutral": "#8A8F98",
        "contempt": "#7A5C3E",
    }
)
GROUP_COLOURS: Mapping[str, str] = MappingProxyType(
    {"negative": "#C4501B", "neutral": "#8A8F98", "positive": "#F0B429", "surprise": "#00B1FF"}
)
