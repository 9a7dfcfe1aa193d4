#!/usr/bin/env python3
"""PyTorch's times for the jobs of steps.cpp: the model that the parity tests hold ours against, on a GPU.

    torch_steps.py KIND WIDTH SIZE PAIRS [REPETITIONS] [--precision f32|tf32|bf16] [--compiled | --graph]
                   [--contiguous] [--no-benchmark] [--device NAME]

KIND is step or inference; clique, a step, and ensemble, inference, where PAIRS are frames whose pairs are all compared,
features computed once a frame. Channels last unless --contiguous; cuDNN chooses by measuring unless --no-benchmark; f32
without TF32. --compiled is torch.compile, --graph a CUDA graph of the whole step or inference. Prints one line of JSON,
seconds and MiB of the device.
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


class AllPairs(Siamese):
    """Compares every frame with every frame; features are computed once a frame."""

    def forward(self, frames):
        count, maps = len(frames), self.features(frames)
        if not self.training:  # one query at a time, for the pairs of a long film do not fit
            return [self.compared(maps[i:i + 1].expand(count, -1, -1, -1), maps) for i in range(count)]
        return self.compared(maps.repeat_interleave(count, dim=0), maps.repeat(count, 1, 1, 1))

    def compared(self, query, partner):
        fused = torch.cat((query, partner), dim=1)
        heads = [getattr(self, f"conv_layer{j}")(fused) for j in range(1, self.tasks + 1)]
        return heads if self.training else [logits.argmax(dim=1) for logits in heads]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["step", "inference", "clique", "ensemble"])
    for name in ("width", "size", "pairs"):
        parser.add_argument(name, type=int)
    parser.add_argument("repetitions", type=int, nargs="?", default=10)
    parser.add_argument("--precision", default="f32", choices=["f32", "tf32", "bf16"])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--compiled", action="store_true")
    how.add_argument("--graph", action="store_true")
    parser.add_argument("--contiguous", action="store_true")
    parser.add_argument("--no-benchmark", action="store_true")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    torch.backends.cudnn.benchmark = not options.no_benchmark

    all_pairs, training = options.kind in ("clique", "ensemble"), options.kind in ("step", "clique")
    layout = torch.contiguous_format if options.contiguous else torch.channels_last
    model = (AllPairs if all_pairs else Siamese)(inputs=3, width=options.width).to(device, memory_format=layout)
    model.train(training)
    forward = torch.compile(model) if options.compiled else model
    shape = (options.pairs, 3, options.size, options.size)
    frames = [torch.rand(shape, device=device).contiguous(memory_format=layout) for _ in range(1 if all_pairs else 2)]
    items = options.pairs**2 if options.kind == "clique" else options.pairs
    labels = [torch.randint(0, 4, (items, options.size, options.size), dtype=torch.uint8, device=device)
              for _ in range(2)]
    class_weights = torch.tensor([0.5, 1.0, 2.0, 4.0], device=device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, capturable=options.graph)

    def answer():
        # What autocast has rounded must not be kept from one recording to the next.
        mixed = torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=not options.graph)
        with mixed if options.precision == "bf16" else contextlib.nullcontext():
            return forward(*frames)

    def work():
        if not training:
            with torch.no_grad():
                return answer()
        optimiser.zero_grad(set_to_none=True)
        sum(focal_loss(of.float(), to, class_weights) for of, to in zip(answer(), labels)).backward()
        optimiser.step()
        return None

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    run = work
    if options.graph:
        # As PyTorch's notes on CUDA graphs have it: some steps on a side stream before the recording.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        optimiser.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            kept = work()  # what it answers stays where it is
        run = graph.replay
    for _ in range(3):  # compilation, and cuDNN's choice of algorithms
        run()
    wait()
    seconds = []
    for _ in range(options.repetitions):
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
    cuda = device.type == "cuda"
    print(json.dumps({"peer": f"PyTorch {torch.__version__}", "job": f"{options.kind}/{options.width}/{options.size}/"
                      f"{options.pairs}", "precision": options.precision, "compiled": options.compiled,
                      "graph": options.graph, "contiguous": options.contiguous, "benchmark": not options.no_benchmark,
                      "seconds": seconds, "memory_mib": torch.cuda.max_memory_reserved() / 2**20 if cuda else 0,
                      "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else 0}))


if __name__ == "__main__":
    main()
