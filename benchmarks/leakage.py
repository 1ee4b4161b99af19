"""How many test pictures of FER2013 are pixel copies of training pictures.

python -m benchmarks.leakage --data /path/to/fer2013
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_core.data import SPLITS, load_fer2013
from fer_core.data.locate import find_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    data = find_dataset("fer2013", parser.parse_args().data)
    training = {image.tobytes() for image in load_fer2013(data, "training").images}
    for split in SPLITS[1:]:
        images = load_fer2013(data, split).images
        copies = sum(image.tobytes() in training for image in images)
        print(f"{split}: {copies} of {len(images)} are copies of training pictures")


if __name__ == "__main__":
    main()
