"""The command ``convert`` of the command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.emotions import NOT_OURS, emotion_of_name
from fer_core.errors import CheckpointError

if TYPE_CHECKING:
    from fer_core.data import DataSet

_CONVERT = """\
Make a checkpoint of a network that was trained elsewhere: the state of a torch network (.pth, .pt, .ckpt, .bin,
.safetensors) or an ONNX file. Its outputs are put into the order that is used here. Pickles are never opened: of a file
of torch nothing but numbers is read, in a process with limits on memory and time.

With --data, labelled pictures are shown to it at once: its figures and evaluation tables are written into the folder,
and labels that look permuted are told. docs/own-network.md goes through it.
"""
_EXAMPLES = """\
examples:
  python -m fer_core convert weights.pth --architecture resnet18 --labels angry,disgust,fear,happy,neutral,sad,surprise
  python -m fer_core convert best.pt --architecture timm:efficientnet_b0 --labels ... --size 112 --data data/rafdb
  python -m fer_core convert ferplus.onnx --pixels 255 \\
      --labels neutral,happiness,surprise,sadness,anger,disgust,fear,contempt
"""


def add_command(commands: Any) -> None:
    """Add ``convert`` to the subparsers of the command line."""
    convert = commands.add_parser(
        "convert", help="a network from elsewhere → checkpoint", description=_CONVERT, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = convert.add_argument
    add("file", type=Path, metavar="FILE")
    add(
        "--labels", type=_words, required=True, metavar="NAMES",
        help="what its outputs stand for, in their order, with commas; - for one that is none of our classes",
    )  # fmt: skip
    add("--architecture", default="", help="one of ours, or timm:NAME (not for ONNX)")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="of the architecture, such as img_size=112")
    add(
        "--size",
        type=int,
        default=0,
        metavar="PX",
        help="side of its pictures (default: of an ONNX file its own, or 224)",
    )
    add(
        "--mean",
        type=_numbers,
        default=(),
        help="that pixels in 0-1 were normalised with (default: ImageNet's for RGB)",
    )
    add("--std", type=_numbers, default=(), help="as --mean")
    add("--pixels", type=float, metavar="MOST", help="it takes pixels from 0 to this, 255 or 1, and no mean and std")
    add("--grey", action="store_true", help="it takes grey pictures")
    add("--name", help="of the checkpoint (default: that of the file)")
    add("--out", type=Path, metavar="DIR", help="where its folder goes (default: the user's own checkpoints)")
    add("--replace", action="store_true", help="put it in the place of another one of its name")
    add("--data", type=Path, metavar="DIR", help="labelled pictures to judge it by")
    convert.set_defaults(run=_run)


def _words(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(each) for each in text.split(","))


def _run(args: argparse.Namespace) -> int:
    import yaml

    from fer_core.files import replacing_folder
    from fer_core.models.card import check_name
    from fer_core.models.convert import ForeignNetwork, convert
    from fer_core.models.folders import added_folder, checkpoint_names

    out, name = args.out or added_folder(), args.name or args.file.stem
    check_name(name)
    if not args.replace and ((out / name).exists() or (args.out is None and name in checkpoint_names())):
        raise CheckpointError(f"There is a checkpoint {name!r} already; give another --name, or say --replace.")
    if args.pixels and (args.mean or args.std):
        raise CheckpointError("--pixels is instead of --mean and --std; leave one of them out.")
    mean, std = ((0.0,), (1 / args.pixels,)) if args.pixels else (args.mean, args.std)
    options = {key: yaml.safe_load(value) for key, _, value in (each.partition("=") for each in args.option)}
    origin = ForeignNetwork(args.labels, args.architecture, mean, std, args.size, args.grey, options)
    data = _opened(args.data)
    out.mkdir(parents=True, exist_ok=True)
    with replacing_folder(out / name) as folder:
        card = convert(args.file, folder, origin, name=name)
        said = (
            _judged(folder, data, args.labels)
            if data
            else ["Not judged: give --data FOLDER, or evaluate it in the dashboard."]
        )
    spec = card.input
    print(f"{name} is in {out / name}")
    print(f"  {card.network}, {spec.channels} channels of {spec.size} px, mean {spec.mean}, std {spec.std}")
    print("\n".join(f"  {line}" for line in said))
    return 0


def _opened(root: Path | None) -> DataSet | None:
    from fer_core.data import open_dataset

    return None if root is None else open_dataset(root)


def _judged(folder: Path, data: DataSet, given: Sequence[str]) -> list[str]:
    """Measure the checkpoint, write what was measured into its folder, and tell it.

    The temperature is fitted on the split that epochs would be chosen on, where there is one beside the test split.
    """
    from fer_core.evaluation.label_order import better_order
    from fer_core.evaluation.metrics import fit_temperature
    from fer_core.evaluation.run import evaluate_faces, figures_of, labels_of, table_array, write_table
    from fer_core.models.card import CHOOSE, TEST, write_card
    from fer_core.models.classifier import load

    card, said = load(folder).card, []
    splits = {CHOOSE: data.choosing_split, TEST: data.default_split}
    metrics: list[Mapping[str, Any]] = []
    for side, split in splits.items():
        if split is None:
            continue
        faces = data.read(split)
        table = evaluate_faces(load(folder), faces)
        truth = labels_of(table, faces.name)
        if side == CHOOSE:
            logits = table_array(table, "logit_")
            card = dataclasses.replace(card, temperature=round(fit_temperature(logits, truth), 4))
            write_card(folder, card)
            table = evaluate_faces(load(folder), faces)
        write_table(table, folder / "evaluations" / f"{faces.name}-{faces.split}.parquet")
        figures = figures_of(table, faces, faces.name, "none")
        metrics.append({**figures, "side": side})
        said.append(f"{faces.name} {split}: {figures['accuracy']:.1%} of {figures['n']} right")
        if found := better_order(table_array(table, "p_"), truth):
            better = ",".join(_moved(given, found.order, card.labels))
            said.append(f"The labels look permuted: {found.better:.1%} would be right with --labels {better}")
    told = {"dataset": data.name, "labels": data.name, "choose": splits[CHOOSE] or "", "test": splits[TEST]}
    card = dataclasses.replace(card, metrics=metrics, data={**card.data, **told})
    write_card(folder, card)
    return said


def _moved(given: Sequence[str], order: tuple[int, ...], labels: list[str]) -> list[str]:
    """The labels of the network's outputs as they were ``given``, each replaced by the one that fits better."""
    ours = (each if each.strip() == NOT_OURS else emotion_of_name(each) for each in given)
    return [each if each.strip() == NOT_OURS else labels[order[labels.index(each)]] for each in ours]
