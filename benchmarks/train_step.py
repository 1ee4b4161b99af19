"""Time of a training step with bf16 depthwise convolutions and with float32 ones, in one run.

    python -m benchmarks.train_step [--size 44] [--steps 10]

On CPUs the bf16 backward pass of a depthwise convolution is far slower than the float32 one, so training keeps those
layers in float32 (``training.module.float32_depthwise``).
"""

from __future__ import annotations

import argparse
import time

import torch

from training.module import EmotionModule, float32_depthwise
from training.recipe import load_recipe
from training.train import build_module


def ms_per_image(module: EmotionModule, size: int, steps: int, batch: int = 96) -> float:
    """Forward and backward pass under bf16 autocast; the first two steps are not counted."""
    x = torch.randn(batch, module.recipe.input.channels, size, size).contiguous(memory_format=torch.channels_last)
    started = 0.0
    for step in range(steps + 2):
        if step == 2:
            started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
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
    fast, slow = (ms_per_image(module.train(), args.size, args.steps) for module in (with_float32, plain))
    print(f"{args.size} px: float32 depthwise {fast:.2f} ms, all bf16 {slow:.2f} ms an image, {slow / fast:.1f} times")


if __name__ == "__main__":
    main()
