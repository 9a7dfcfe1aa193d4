#!/usr/bin/env python3
"""PyTorch's times for the jobs of steps.cpp: the model that the parity tests hold ours against, on a GPU.

    torch_steps.py KIND WIDTH SIZE PAIRS [REPETITIONS] [--precision f32|tf32|bf16] [--compiled] [--device NAME]

KIND is step or inference. Channels last; f32 without TF32. Prints one line of JSON, seconds and MiB of the device.
"""
import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "parity"))
from torch_models import Siamese, focal_loss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["step", "inference"])
    for name in ("width", "size", "pairs"):
        parser.add_argument(name, type=int)
    parser.add_argument("repetitions", type=int, nargs="?", default=10)
    parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"])
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    torch.backends.cudnn.benchmark = True

    model = Siamese(inputs=3, width=options.width).to(device, memory_format=torch.channels_last)
    model.train(options.kind == "step")
    forward = torch.compile(model) if options.compiled else model
    shape = (options.pairs, 3, options.size, options.size)
    frames = [torch.rand(shape, device=device).contiguous(memory_format=torch.channels_last) for _ in range(2)]
    labels = [torch.randint(0, 4, (options.pairs, options.size, options.size), dtype=torch.uint8, device=device)
              for _ in range(2)]
    class_weights = torch.tensor([0.5, 1.0, 2.0, 4.0], device=device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)

    def answer():
        mixed = options.precision == "bf16"
        with torch.autocast(device.type, dtype=torch.bfloat16) if mixed else contextlib.nullcontext():
            return forward(*frames)

    def run():
        if options.kind == "inference":
            with torch.no_grad():
                answer()
        else:
            optimiser.zero_grad(set_to_none=True)
            sum(focal_loss(of.float(), to, class_weights) for of, to in zip(answer(), labels)).backward()
            optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(3):  # compilation, and cuDNN's choice of algorithms
        run()
    seconds = []
    for _ in range(options.repetitions):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    memory = torch.cuda.max_memory_reserved() / 2**20 if device.type == "cuda" else 0
    print(json.dumps({"peer": f"PyTorch {torch.__version__}", "job": f"{options.kind}/{options.width}/{options.size}/"
                      f"{options.pairs}", "precision": options.precision, "compiled": options.compiled,
                      "seconds": seconds, "memory_mib": memory}))


if __name__ == "__main__":
    main()
