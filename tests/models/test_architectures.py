"""Every architecture: shapes, gradients, independence of pictures, weights in and out, published sizes, refusals."""

from __future__ import annotations

import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as published
from torch import Tensor, nn
from torchvision.models._api import WeightsEnum
from torchvision.models.vgg import cfgs, make_layers

from fer_core.emotions import EMOTIONS
from fer_core.errors import CheckpointError, InputError
from fer_core.explain import heatmaps, layers
from fer_core.faces.geometry import CropGeometry
from fer_core.models import registry
from fer_core.models.attention import ChannelAttention
from fer_core.models.card import Card, InputSpec
from fer_core.models.checkpoint import load_network, save_checkpoint
from fer_core.models.trunks import ACTIVATIONS, Hidden, Pool
from tests.support import ROOT
from tests.support.networks import classifier_of

SMALL_VIT = {"image_size": 32, "layers": 2, "width": 32, "heads": 2, "mlp": 64}
CASES: dict[str, dict[str, Any]] = {
    "compact-resnet": {"widths": [16, 24, 32, 40]},
    "densenet121": {},
    "efficientnetv2-b0": {},
    "inceptionv3": {},
    "mobilenet": {},
    "mobilenet-attention": {},
    "mobilenetv2": {},
    "mobilenetv2-ubb": {},
    "mru-cnn": {"widths": [8, 16, 16, 16]},
    "resnet18": {},
    "resnet50v2": {},
    "shsu-cnn": {"widths": [8, 16, 16, 16]},
    "vgg16": {},
    "vgg19": {},
    "vgg19-bn": {},
    "vit-b16": SMALL_VIT,
    "vit-b32": {**SMALL_VIT, "image_size": 64},
}
FROM_TIMM = ("resnet50v2", "efficientnetv2-b0")


@dataclass(frozen=True)
class Made:
    """A network for grey pictures after one pass over some and its gradients, in evaluation mode."""

    name: str
    net: registry.EmotionNetwork

    @classmethod
    def of(cls, name: str) -> Made:
        torch.manual_seed(7)
        net = registry.build(name, n_labels=7, channels=1, **CASES[name])
        logits = settled(net, pictures(name, 1))
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 6, 3])).backward()
        return cls(name, net.eval())


OWN = {"compact-resnet", "mobilenet-attention", "mobilenetv2", "mru-cnn", "shsu-cnn", "vit-b16"}
"""Written here; the others have a trunk of a library, whose costly checks are rare."""
of_our_own = pytest.mark.parametrize(
    "grey",
    [pytest.param(name, marks=() if name in OWN else pytest.mark.nightly) for name in CASES],
    indirect=True,
)


@pytest.fixture(scope="module", params=CASES)  # one after the other: together they would fill the memory
def grey(request: pytest.FixtureRequest) -> Made:
    return Made.of(request.param)


def settled(net: nn.Module, x: Tensor) -> Tensor:
    """Let the norms take their means and variances from these pictures; the outputs while they did."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches so far: of this one
    out: Tensor = net.train()(x)
    return out


def size_of(name: str) -> int:
    return int(CASES[name].get("image_size", registry.describe(name).min_px))


def pictures(name: str, channels: int, n: int = 4) -> Tensor:
    """The smallest pictures that an architecture takes."""
    made = torch.rand(n, channels, size_of(name), size_of(name), generator=torch.Generator().manual_seed(1))
    return 4 * made - 2


def test_all_five_systems_have_their_networks() -> None:
    assert set(CASES) <= set(registry.architectures())
    for name in CASES:
        found = registry.describe(name)
        assert (found.name, found.source > "", found.about > "") == (name, True, True)
        assert 8 <= found.min_px <= found.input_px <= 1024
    with pytest.raises(CheckpointError, match="Unknown architecture 'resnet19'; known are compact-resnet, "):
        registry.describe("resnet19")


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_colour_pictures_get_as_many_logits_as_there_are_labels(name: str) -> None:
    logits = registry.build(name, n_labels=8, channels=3, **CASES[name]).eval()(pictures(name, 3, n=1))
    assert logits.shape == (1, 8) and torch.isfinite(logits).all()


def test_pictures_become_features_and_logits_and_every_weight_learns(grey: Made) -> None:
    net = grey.net
    with torch.no_grad():
        features = net.features(pictures(grey.name, 1))
        logits = net.classify(features)
    assert isinstance(net.head, nn.Linear)
    assert features.shape == (4, net.head.in_features) and logits.shape == (4, 7)
    assert torch.isfinite(logits).all()
    for weight, values in net.named_parameters():
        assert values.grad is not None and torch.isfinite(values.grad).all(), weight
    assert sum(bool(values.grad.any()) for values in net.parameters()) > 0.9 * len(list(net.parameters()))


@of_our_own
@torch.no_grad()
def test_a_batch_gives_what_its_pictures_give_alone(grey: Made) -> None:
    net, x = deepcopy(grey.net).double(), pictures(grey.name, 1).double()  # norms of one batch amplify rounding
    together, alone = net(x), torch.cat([net(each[None]) for each in x])
    assert together.std(dim=0).max() > 1e-3  # the pictures are told apart at all
    torch.testing.assert_close(together, alone)


def test_layers_are_the_backbone_each_weight_once(grey: Made) -> None:
    own = [id(values) for layer in grey.net.layers() for values in layer.parameters()]
    assert sorted(own) == sorted(id(values) for values in grey.net.backbone.parameters())


def test_convolutional_networks_have_maps_to_explain(grey: Made) -> None:
    is_vit = grey.name.startswith("vit")
    found = layers(classifier_of(grey.net, size=size_of(grey.name) if is_vit else max(48, size_of(grey.name))))
    assert found == [] if is_vit else len(found) >= 3
    assert grey.name != "mobilenet-attention" or found[0] == "neck.patches"  # what the attention looks at


@of_our_own
def test_half_precision_weights_come_back_as_they_went(grey: Made, tmp_path: Path) -> None:
    name, size = grey.name, size_of(grey.name)
    spec = InputSpec(size, 1, [0.5], [0.25])
    card = Card(name, name, [*EMOTIONS], spec, CropGeometry(size=size), 1.0, options=CASES[name])
    save_checkpoint(tmp_path, grey.net, card)
    again, _ = load_network(tmp_path)
    loaded = again.state_dict()
    for weight, values in grey.net.state_dict().items():
        half = values.half().float() if values.is_floating_point() else values
        assert torch.equal(loaded[weight], half), weight


# --- published shapes


def published_numbers() -> dict[str, int]:
    """Weights of each trunk, from numbers that were published for the whole: less the classifier of 1,000 classes."""
    vgg = 25_088 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000

    def of(weights: Any, features: int) -> int:
        return int(weights.meta["num_params"]) - 1000 * (features + 1)

    return {
        "resnet18": of(published.ResNet18_Weights.IMAGENET1K_V1, 512),
        "densenet121": of(published.DenseNet121_Weights.IMAGENET1K_V1, 1024),
        "mobilenetv2": of(published.MobileNet_V2_Weights.IMAGENET1K_V2, 1280),
        "mobilenetv2-ubb": of(published.MobileNet_V2_Weights.IMAGENET1K_V2, 1280),
        "vit-b16": of(published.ViT_B_16_Weights.IMAGENET1K_V1, 768),
        "vit-b32": of(published.ViT_B_32_Weights.IMAGENET1K_V1, 768),
        "vgg16": published.VGG16_Weights.IMAGENET1K_V1.meta["num_params"] - vgg,
        "vgg19": published.VGG19_Weights.IMAGENET1K_V1.meta["num_params"] - vgg,
        "vgg19-bn": published.VGG19_BN_Weights.IMAGENET1K_V1.meta["num_params"] - vgg,
        "inceptionv3": 23_834_568 - 2_049_000,  # without the auxiliary classifier
        "resnet50v2": 25_549_352 - 2_049_000,
        "efficientnetv2-b0": 7_139_704 - 1_281_000,
        "mobilenet": 4_231_976 - 1_025_000,
        "mobilenet-attention": 4_231_976 - 1_025_000,
    }


@pytest.mark.parametrize(("name", "weights"), published_numbers().items())
def test_trunks_have_as_many_weights_as_published(name: str, weights: int) -> None:
    with torch.device("meta"):  # shapes without memory
        net = registry.build(name, n_labels=7, channels=3)
    assert sum(values.numel() for values in net.backbone.parameters()) == weights


def test_the_documents_own_networks_have_the_weights_that_their_layers_make() -> None:
    norms = 2 * (128 + 256 + 512 + 512)
    maps = (9 * 1 + 1) * 128 + (9 * 128 + 1) * 256 + (9 * 256 + 1) * 512 + (9 * 512 + 1) * 512
    full = 513 * 512 + 513 * 256 + 257 * 7
    net = registry.build("mru-cnn", n_labels=7, channels=1)
    assert sum(values.numel() for values in net.parameters()) == maps + norms + full == 4_235_015
    maps = 9 * 64 + 25 * 64 * 128 + 9 * 128 * 512 + 9 * 512 * 512 + 2 * (64 + 128 + 512 + 512)
    full = (9 * 512 + 1) * 512 + 513 * 512 + 4 * 512 + 513 * 7
    net = registry.build("shsu-cnn", n_labels=7, channels=1)
    assert sum(values.numel() for values in net.parameters()) == maps + full


def test_the_small_web_network_stays_small_and_keeps_a_map() -> None:
    net = registry.build("mobilenet-attention", n_labels=7, channels=1)
    n = sum(values.numel() for values in net.state_dict().values())
    assert 2 * n < 9_000_000 and n < 6_000_000
    for size in (44, 48):
        assert net.backbone(torch.zeros(1, 1, size, size)).shape == (1, 1024, 6, 6)


@pytest.mark.parametrize(
    ("name", "size", "imagenet", "small"),
    [("resnet18", 40, 2, 5), ("densenet121", 48, 1, 6), ("resnet50v2", 48, 2, 6), ("efficientnetv2-b0", 48, 2, 3)],
)
@torch.no_grad()
def test_a_small_stem_keeps_a_larger_map(name: str, size: int, imagenet: int, small: int) -> None:
    for stem, side in (("imagenet", imagenet), ("small", small)):
        net = registry.build(name, n_labels=7, channels=1, stem=stem).eval()
        assert net.backbone(torch.zeros(1, 1, size, size)).shape[2:] == (side, side)


@pytest.mark.parametrize(("name", "px"), [("mru-cnn", 46), ("inceptionv3", 75)])
def test_less_than_the_least_size_is_impossible(name: str, px: int) -> None:
    assert registry.describe(name).min_px == px
    net = registry.build(name, n_labels=7, channels=1).eval()
    with pytest.raises(RuntimeError):
        net(torch.zeros(1, 1, px - 1, px - 1))


def test_the_last_layers_can_be_counted() -> None:
    net = registry.build("mobilenetv2-ubb", n_labels=7, channels=1)
    kinds = [type(layer).__name__ for layer in net.layers()]
    assert kinds[:3] == ["Conv2d", "BatchNorm2d", "ReLU6"] and kinds.count("Conv2d") == 52
    assert kinds[-56:].count("Conv2d") == 21


# --- ImageNet weights


def torchvision_case(name: str) -> tuple[nn.Module, dict[str, Tensor], dict[str, Any]]:
    """A torchvision network that gives (n, d), in double precision; its state by its published names; our options."""
    if name == "vgg19-bn":
        maps = make_layers(cfgs["E"], batch_norm=True).double()
        return nn.Sequential(maps, Pool()), {f"features.{k}": v for k, v in maps.state_dict().items()}, {"hidden": []}
    if name == "vit-b16":
        net: Any = published.VisionTransformer(32, 16, 2, 2, 32, 64).double()
        net.encoder.pos_embedding.data.normal_()
        state = net.state_dict()
        net.heads = nn.Identity()
        return net, state, {**SMALL_VIT, "hidden": []}
    builder = {"resnet18": "resnet18", "densenet121": "densenet121", "mobilenetv2-ubb": "mobilenet_v2"}.get(name)
    net = getattr(published, builder)() if builder else published.inception_v3(aux_logits=False, init_weights=True)
    state = {
        **net.double().state_dict(),
        "AuxLogits.fc.bias": torch.zeros(1000),
    }  # of which only InceptionV3 has something
    if name == "densenet121":  # its weights are older than its names and the counts of batches
        state = {
            re.sub(r"(denselayer\d+\.(norm|conv))([12])", r"\1.\3", key): value
            for key, value in state.items()
            if not key.endswith("num_batches_tracked")
        }
    for last in ("fc", "classifier"):
        if hasattr(net, last):
            setattr(net, last, nn.Identity())
    return net, state, {"hidden": []}


def rarely(*values: str) -> Any:
    return pytest.param(*values, marks=pytest.mark.nightly)


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenetv2-ubb", "vgg19-bn", "vit-b16", *map(rarely, ("densenet121", "inceptionv3"))]
)
def test_with_published_weights_a_trunk_answers_as_torchvisions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grey: the stem has the sum over RGB, and so gives what three equal channels give."""
    torch.manual_seed(3)
    theirs, state, options = torchvision_case(name)
    x = pictures(name, 1).double()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.1)
    settled(theirs, x.repeat(1, 3, 1, 1))
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **_: OrderedDict(state))
    ours = registry.build(name, n_labels=7, channels=1, **options, dropout=0.0).double()
    ours.load_imagenet()
    with torch.no_grad():
        expected, found = theirs.eval()(x.repeat(1, 3, 1, 1)), ours.eval().features(x)
    assert expected.std(dim=0).max() > 1e-3
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mobilenet", "mobilenetv1_100"),
        rarely("resnet50v2", "resnetv2_50"),
        rarely("efficientnetv2-b0", "tf_efficientnetv2_b0"),
    ],
)
def test_with_published_weights_a_trunk_answers_as_timms(
    name: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    torch.manual_seed(3)
    net, x = timm.create_model(theirs, num_classes=0).double(), pictures(name, 1).double()
    settled(net, x.repeat(1, 3, 1, 1))
    create: Callable[..., nn.Module] = timm.create_model
    as_published = {"stem_stride": 2} if name == "mobilenet" else {}
    monkeypatch.setattr(timm, "create_model", lambda _, **asked: net if asked.get("pretrained") else create(theirs))
    ours = registry.build(name, n_labels=7, channels=1, hidden=[], dropout=0.0, **as_published).double()
    ours.load_imagenet()
    with torch.no_grad():
        expected, found = net.eval()(x.repeat(1, 3, 1, 1)), ours.eval().features(x)
    assert expected.std(dim=0).max() > 1e-3
    torch.testing.assert_close(found, expected)


def test_weights_fit_other_sizes_stems_and_heads_but_no_other_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    _, state, options = torchvision_case("vit-b16")
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **_: OrderedDict(state))
    larger = registry.build("vit-b16", n_labels=7, channels=3, **{**options, "image_size": 48}).double()
    larger.load_imagenet()  # 3 by 3 patches from 2 by 2
    tokens = larger.get_submodule("backbone.tokens")
    assert torch.equal(tokens.pos_embedding[:, 0], state["encoder.pos_embedding"][:, 0])  # the class token's
    deeper = registry.build("vit-b16", n_labels=7, channels=3, **{**options, "layers": 3})
    with pytest.raises(CheckpointError, match=r"do not fit this trunk .*encoder_layer_2.*take the published options"):
        deeper.load_imagenet()
    _, state, _ = torchvision_case("resnet18")
    small = registry.build("resnet18", n_labels=7, channels=3, stem="small").double()
    before = deepcopy(small.backbone[0].weight)
    small.load_imagenet()
    assert torch.equal(small.backbone[0].weight, before)  # 3×3, which ImageNet's 7×7 do not fit
    assert torch.equal(small.backbone.state_dict()["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2", "densenet121", "vgg16", "vit-b32", "resnet50v2"])
def test_weights_out_of_reach_are_said_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def fail(*_: object, **asked: object) -> None:
        raise OSError("no route to host")

    with torch.device("meta"):
        net = registry.build(name, n_labels=7, channels=1, **CASES[name])
    monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(CheckpointError, match=r"could not be loaded \(no route to host\).*'weights: scratch'"):
        net.load_imagenet()


def test_a_network_without_published_weights_says_so() -> None:
    with pytest.raises(CheckpointError, match="no ImageNet weights"):
        registry.build("mru-cnn", n_labels=7, channels=1).load_imagenet()


def test_timm_is_needed_only_by_the_two_networks_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    for name, options in CASES.items():
        if name in FROM_TIMM:
            with pytest.raises(CheckpointError, match="timm is not installed; install it with 'pip install timm'"):
                registry.build(name, n_labels=7, channels=1, **options)
        else:
            with torch.device("meta"):
                registry.build(name, n_labels=7, channels=1, **options)
    for path in (ROOT / "fer_core").rglob("*.py"):
        assert not re.search(r"^(import|from) timm", path.read_text(encoding="utf-8"), flags=re.M), path.name


# --- attention


def test_attention_acts_within_one_picture() -> None:
    torch.manual_seed(0)
    attention = ChannelAttention(16, 4).train()  # in training too
    maps = torch.randn(3, 16, 5, 5)
    other = maps.clone()
    other[1:] = torch.randn(2, 16, 5, 5)
    assert torch.equal(attention(maps)[0], attention(other)[0])
    weights = attention.weights(maps)
    assert weights.shape == (3, 16) and weights.min() > 0 and weights.max() < 1
    assert not torch.allclose(weights[0], weights[1])  # each picture has its own
    torch.testing.assert_close(attention(maps), maps * weights[:, :, None, None])


# --- explanations


def test_heatmaps_pass_through_the_attention() -> None:
    made = Made.of("mobilenet-attention")
    crops = torch.randint(0, 256, (2, 48, 48, 3), dtype=torch.uint8).numpy()
    found = heatmaps(classifier_of(made.net), crops, "happy", layer="neck.patches")
    assert found.shape == (2, 48, 48) and found.max() > 0.5


def test_the_real_vision_transformer_is_refused_a_heatmap() -> None:
    net = registry.build("vit-b16", n_labels=7, channels=3).eval()
    classifier = classifier_of(net, size=224, channels=3)
    assert layers(classifier) == []
    with pytest.raises(InputError, match="no convolutional maps"):
        heatmaps(classifier, torch.zeros(1, 224, 224, 3, dtype=torch.uint8).numpy())
    with pytest.raises(InputError, match=r"takes 224 by 224 px, got \(48, 48\)"):
        net(torch.zeros(1, 3, 48, 48))


# --- options


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=f"'{name}' does not take these options: .*wings"), torch.device("meta"):
        registry.build(name, n_labels=7, channels=1, **CASES[name], wings=2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"stem": "tiny"}, "stem 'tiny' is neither imagenet nor small"),
        ("resnet18", {"channels": 2}, "1 or 3 channels, not 2"),
        ("resnet50v2", {"stem": 3}, "neither imagenet nor small"),
        ("vgg19", {"hidden": [0]}, "hidden .0. is not a list of up to 8 widths 1-8192"),
        ("vgg19", {"hidden": [16] * 9}, "up to 8 widths"),
        ("vgg19", {"dropout": 1.0}, "dropout 1.0 is not one share"),
        ("vgg16", {"hidden": [32]}, r"dropout \(0.0, 0.3\) is not one share .* or one for each hidden layer"),
        ("vgg16", {"pool": 0}, "pooled to 0 by 0 cells"),
        ("densenet121", {"norm": "layer"}, "norm 'layer' is not one of none, before, after"),
        ("densenet121", {"activation": "eval"}, "activation 'eval' not one of relu, leaky_relu, gelu"),
        ("mru-cnn", {"widths": []}, "widths .. are not 1 to 5 numbers"),
        ("mru-cnn", {"map_dropout": -0.1}, "map_dropout -0.1 is not 0 to below 1"),
        ("shsu-cnn", {"kernels": [3, 3]}, "kernels .3, 3. are not one of 1, 3, 5, 7 for each of 4 widths"),
        ("mobilenet", {"stem_stride": 3}, "stem_stride 3 and last_stride 2 must be 1 or 2"),
        ("mobilenetv2-ubb", {"stem_stride": 0}, "stem_stride 0 is not 1 or 2"),
        ("mobilenet-attention", {"kernels": [2]}, "kernels .2. are not up to 8 of 1, 3, 5 and 7"),
        ("mobilenet-attention", {"reduction": 0}, "reduction 0 is outside 1-384"),
        ("compact-resnet", {"widths": [12]}, "as many widths as blocks"),
        ("compact-resnet", {"drop": 1.0}, "drop 0 to below 1"),
        ("vit-b16", {"image_size": 50}, "image_size 50 is not a multiple of 16"),
        ("vit-b32", {"width": 100, "heads": 3}, "that its heads divide"),
    ],
)
def test_impossible_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message), torch.device("meta"):
        registry.build(name, **{"n_labels": 7, "channels": 1, **options})


def test_hidden_layers_are_built_in_the_order_asked_for() -> None:
    def kinds(**options: Any) -> list[str]:
        return [type(each).__name__ for each in Hidden(**options).layers(10)[0]]

    assert kinds() == [] and kinds(dropout=0.2) == ["Dropout"]
    assert kinds(hidden=[8]) == ["Linear", "ReLU"]
    assert kinds(hidden=[8], norm="before", dropout=0.1) == ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert kinds(hidden=[8], norm="after", dropout=0.1) == ["Linear", "ReLU", "Dropout", "BatchNorm1d"]
    assert kinds(hidden=[8, 4], dropout=[0, 0.3], activation="gelu") == ["Linear", "GELU", "Linear", "GELU", "Dropout"]
    assert Hidden(hidden=[8, 4]).layers(10)[1] == 4 and Hidden().layers(10)[1] == 10
    assert set(ACTIVATIONS) == {"relu", "leaky_relu", "gelu"}
