"""Time of a training step in float32, in bf16, in bf16 but for depthwise convolutions, and that compiled, in one run.

    python -m benchmarks.train_step [--recipe usfq-2024-fer2013] [--size 44] [--steps 10]

On CPUs the bf16 backward pass of a depthwise convolution is far slower than the float32 one, so training keeps those
layers in float32 (``training.module.float32_depthwise``). A CPU without instructions for bf16 trains in float32
altogether (``training.trainer.precision_here``).
"""

from __future__ import annotations

import argparse
import time

import torch

from fer_core.models.runtime import computes_bfloat16
from training.module import EmotionModule, float32_depthwise
from training.recipe import load_recipe
from training.trainer import build_module


def ms_per_image(module: EmotionModule, size: int, steps: int, *, bf16: bool, batch: int = 96) -> float:
    """Forward and backward pass; the first two steps are not counted."""
    x = torch.randn(batch, module.recipe.input.channels, size, size).contiguous(memory_format=torch.channels_last)
    started = 0.0
    for step in range(steps + 2):
        if step == 2:
            started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = sum(logits.float().logsumexp(dim=1).mean() for logits in module.model(x).values())
        assert isinstance(loss, torch.Tensor)
        loss.backward()
    return 1000 * (time.perf_counter() - started) / steps / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="usfq-2024-fer2013")
    parser.add_argument("--size", type=int, default=44, help="side of the pictures in px")
    parser.add_argument("--steps", type=int, default=10)
    args = parser.parse_args()
    recipe = load_recipe(args.recipe)
    with_float32 = build_module(recipe)
    float32_depthwise(with_float32.model)
    plain = build_module(recipe)
    for layer in plain.model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.__class__ = torch.nn.Conv2d
    compiled = build_module(recipe)
    float32_depthwise(compiled.model)
    compiled.model.compile(dynamic=False)
    cost = {
        "float32": ms_per_image(plain.train(), args.size, args.steps, bf16=False),
        "bf16": ms_per_image(plain.train(), args.size, args.steps, bf16=True),
        "bf16, depthwise in float32": ms_per_image(with_float32.train(), args.size, args.steps, bf16=True),
        "bf16, depthwise in float32, compiled": ms_per_image(compiled.train(), args.size, args.steps, bf16=True),
    }
    print(f"{args.recipe}, {args.size} px, instructions for bf16: {'yes' if computes_bfloat16() else 'no'}")
    for name, each in cost.items():
        print(f"{name}: {each:.2f} ms an image, {each / cost['float32']:.2f} times float32")


if __name__ == "__main__":
    main()
