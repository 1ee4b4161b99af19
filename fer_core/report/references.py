"""What a methods paragraph refers to: how it is cited in the text, in a list and in BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_VOLUME = re.compile(r",? (\d+)(?:\((\d+)\))?$")


@dataclass(frozen=True)
class Publication:
    """A publication: ``key`` in BibTeX, ``short`` in the text, the ``kind`` and fields of its entry."""

    key: str
    short: str
    kind: str
    author: str
    title: str
    year: int
    where: str
    pages: str = ""
    doi: str = ""
    address: str = ""

    @property
    def whole(self) -> str:
        """As in a list of references."""
        pages = f", {self.pages.replace('--', '–')}" if self.pages else ""
        link = f" https://doi.org/{self.doi}" if self.doi else f" {self.address}" if self.address else ""
        authors = self.author.replace(" and others", " et al.").replace(" and ", "; ")
        return f"{authors} ({self.year}). {self.title}. {self.where}{pages}.{link}"

    @property
    def bibtex(self) -> str:
        """The entry."""
        home = {"article": "journal", "inproceedings": "booktitle"}.get(self.kind, "howpublished")
        volume = _VOLUME.search(self.where) if self.kind == "article" else None
        fields = {
            "author": self.author, "title": self.title, "year": str(self.year),
            home: self.where[: volume.start()] if volume else self.where, "volume": volume[1] if volume else "",
            "number": (volume[2] or "") if volume else "", "pages": self.pages, "doi": self.doi, "url": self.address,
        }  # fmt: skip
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


_ALL = (
    Publication(
        "zhang2016mtcnn", "Zhang et al., 2016", "article",
        "Zhang, Kaipeng and Zhang, Zhanpeng and Li, Zhifeng and Qiao, Yu",
        "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016,
        "IEEE Signal Processing Letters 23(10)", "1499--1503", "10.1109/LSP.2016.2603342",
    ),
    Publication(
        "viola2001", "Viola & Jones, 2001", "inproceedings", "Viola, Paul and Jones, Michael",
        "Rapid object detection using a boosted cascade of simple features", 2001,
        "Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition", "I-511--I-518",
        "10.1109/CVPR.2001.990517",
    ),
    Publication(
        "deng2020retinaface", "Deng et al., 2020", "inproceedings",
        "Deng, Jiankang and Guo, Jia and Ververas, Evangelos and Kotsia, Irene and Zafeiriou, Stefanos",
        "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", 2020,
        "Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition", "5203--5212",
        "10.1109/CVPR42600.2020.00525",
    ),
    Publication(
        "goodfellow2013", "Goodfellow et al., 2013", "inproceedings", "Goodfellow, Ian J. and others",
        "Challenges in Representation Learning: A Report on Three Machine Learning Contests", 2013,
        "Neural Information Processing, ICONIP 2013, Lecture Notes in Computer Science 8228", "117--124",
        "10.1007/978-3-642-42051-1_16",
    ),
    Publication(
        "barsoum2016", "Barsoum et al., 2016", "inproceedings",
        "Barsoum, Emad and Zhang, Cha and Canton Ferrer, Cristian and Zhang, Zhengyou",
        "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution", 2016,
        "Proceedings of the 18th ACM International Conference on Multimodal Interaction", "279--283",
        "10.1145/2993148.2993165",
    ),
    Publication(
        "guo2017", "Guo et al., 2017", "inproceedings",
        "Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.",
        "On Calibration of Modern Neural Networks", 2017, "Proceedings of the 34th International Conference on "
        "Machine Learning",
        "1321--1330", address="https://proceedings.mlr.press/v70/guo17a.html",
    ),
    Publication(
        "menon2021", "Menon et al., 2021", "inproceedings",
        "Menon, Aditya Krishna and Jayasumana, Sadeep and Rawat, Ankit Singh and Jain, Himanshu and Veit, Andreas and "
        "Kumar, Sanjiv", "Long-tail Learning via Logit Adjustment", 2021,
        "International Conference on Learning Representations",
        address="https://arxiv.org/abs/2007.07314",
    ),
    Publication(
        "he2016", "He et al., 2016", "inproceedings", "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "Deep Residual Learning for Image Recognition", 2016,
        "Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition", "770--778",
        "10.1109/CVPR.2016.90",
    ),
    Publication(
        "sandler2018", "Sandler et al., 2018", "inproceedings",
        "Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and Chen, Liang-Chieh",
        "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
        "Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition", "4510--4520",
        "10.1109/CVPR.2018.00474",
    ),
    Publication(
        "king2009", "King, 2009", "article", "King, Davis E.", "Dlib-ml: A Machine Learning Toolkit", 2009,
        "Journal of Machine Learning Research 10", "1755--1758",
    ),
    Publication(
        "barrett2019", "Barrett et al., 2019", "article",
        "Barrett, Lisa Feldman and Adolphs, Ralph and Marsella, Stacy and Martinez, Aleix M. and Pollak, Seth D.",
        "Emotional Expressions Reconsidered: Challenges to Inferring Emotion From Human Facial Movements", 2019,
        "Psychological Science in the Public Interest 20(1)", "1--68", "10.1177/1529100619832930",
    ),
)  # fmt: skip
REFERENCES = {each.key: each for each in _ALL}
OF_DETECTOR = {
    "mtcnn": "zhang2016mtcnn", "haar": "viola2001", "retinaface-resnet50": "deng2020retinaface",
    "retinaface-mobilenet025": "deng2020retinaface",
}  # fmt: skip
OF_ARCHITECTURE = {"compact-resnet": "he2016", "resnet18": "he2016", "mobilenetv2": "sandler2018"}


def cited(keys: Iterable[str]) -> list[Publication]:
    """The publications of ``keys``, each once, by author."""
    return sorted((REFERENCES[key] for key in dict.fromkeys(keys)), key=lambda each: (each.author, each.year))


def bibtex(keys: Iterable[str]) -> str:
    """A file for BibTeX."""
    return "\n\n".join(each.bibtex for each in cited(keys)) + "\n"


__all__ = ["OF_ARCHITECTURE", "OF_DETECTOR", "REFERENCES", "Publication", "bibtex", "cited"]
