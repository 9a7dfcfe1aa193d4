#!/usr/bin/env python3
"""PyTorch's side of the comparison: one job a process, so that its peak of resident memory is its own.

    torch_peer.py KIND/WIDTH/SIZE/COUNT [--variant NAME] [--precision f32|bf16] [--threads N] ...

KIND is inference or step of COUNT pairs, ensemble_naive or ensemble_cached of COUNT frames (whole pairs, or features
once a frame and heads a pair). The model is the one that the parity tests hold ours against. Prints one line of JSON.
`--variants KIND` lists the ways to run a kind that are worth trying; `--export FILE` writes inference as ONNX instead.
"""
import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # processors are compared

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "parity"))
from torch_models import Siamese, focal_loss


class Pairs(torch.nn.Module):
    """Both tasks' logits for a batch of pairs."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, query, partner):
        first, second = self.model(query, partner)
        return first, second


class Features(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, frames):
        return self.model.features(frames)


class Heads(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.first, self.second = model.conv_layer1, model.conv_layer2

    def forward(self, query, partner):
        fused = torch.cat((query, partner), dim=1)
        return self.first(fused), self.second(fused)


def variants(kind):
    """eager or frozen (traced, frozen, oneDNN's own layouts) or compiled; `_last`: channels last."""
    compiled = ["compiled", "compiled_last"] if hasattr(torch, "compile") else []
    if kind == "step":
        return ["eager", "eager_last"] + compiled
    return ["frozen", "frozen_last", "eager", "eager_last"] + compiled


class Runner:
    """Runs a job in the way that was asked for."""

    def __init__(self, options):
        self.kind, numbers = options.job.split("/", 1)
        self.width, self.size, self.count = map(int, numbers.split("/"))
        self.variant, _, last = options.variant.partition("_")
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.mixed = options.precision == "bf16"
        self.model = Siamese(inputs=3, width=self.width).to(memory_format=self.layout)

    def autocast(self, **more):
        return torch.autocast("cpu", dtype=torch.bfloat16, **more) if self.mixed else contextlib.nullcontext()

    def noise(self, count, channels=3):
        return torch.rand(count, channels, self.size, self.size).contiguous(memory_format=self.layout)

    def ready(self, module, *examples):
        """The module prepared for inference."""
        module = module.eval()
        if self.variant == "compiled":
            import torch._inductor.config as inductor
            inductor.freezing = True
            return torch.compile(module)
        if self.variant == "frozen":
            with self.autocast(cache_enabled=False):
                module = torch.jit.freeze(torch.jit.trace(module, examples, check_trace=False))
            if not self.mixed:  # it knows single precision only
                module = torch.jit.optimize_for_inference(module)
        return module

    def inference(self):
        query, partner = self.noise(self.count), self.noise(self.count)
        module = self.ready(Pairs(self.model), query, partner)

        def run():
            with torch.no_grad(), self.autocast():
                module(query, partner)
        return run

    def step(self):
        model = self.model.train()
        forward = torch.compile(Pairs(model)) if self.variant == "compiled" else model
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01)
        query, partner = self.noise(self.count), self.noise(self.count)
        labels = [torch.randint(0, 4, (self.count, self.size, self.size), dtype=torch.uint8) for _ in range(2)]
        class_weights = torch.tensor([0.5, 1.0, 2.0, 4.0])

        def run():
            optimiser.zero_grad(set_to_none=True)
            with self.autocast():
                logits = forward(query, partner)
            sum(focal_loss(of.float(), to, class_weights) for of, to in zip(logits, labels)).backward()
            optimiser.step()
        return run

    def vote(self, answer):
        """Masks of all frames by the majority of `answer(query, partner)`, the categories' logits of both tasks."""
        masks = []
        with torch.no_grad(), self.autocast():
            for query in range(self.count):
                votes = torch.zeros(2, self.size, self.size, dtype=torch.int32)
                for partner in range(self.count):
                    for task, logits in enumerate(answer(query, partner)):
                        votes[task] += logits[0].argmax(0) >= 2  # present in the query: disappearing or overlapping
                masks.append(2 * votes > self.count)
        return masks

    def ensemble_naive(self):
        frames = [self.noise(1) for _ in range(self.count)]
        module = self.ready(Pairs(self.model), frames[0], frames[0])
        return lambda: self.vote(lambda query, partner: module(frames[query], frames[partner]))

    def ensemble_cached(self):
        frames = [self.noise(1) for _ in range(self.count)]
        features = self.ready(Features(self.model), frames[0])
        with torch.no_grad(), self.autocast():
            example = features(frames[0])
        heads = self.ready(Heads(self.model), example, example)

        def run():
            with torch.no_grad(), self.autocast():
                maps = [features(frame) for frame in frames]
            self.vote(lambda query, partner: heads(maps[query], maps[partner]))
        return run


def peak_mebibytes():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def export(runner, path):
    query, partner = runner.noise(1), runner.noise(1)
    any_count = {0: "pairs"}
    torch.onnx.export(Pairs(runner.model).eval(), (query, partner), path, opset_version=13,
                      input_names=["query", "partner"], output_names=["first", "second"],
                      dynamic_axes={name: any_count for name in ("query", "partner", "first", "second")},
                      **({"dynamo": False} if torch.__version__ >= "2.5" else {}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job")
    parser.add_argument("--variant", default="eager")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--variants", action="store_true", help="list the job's variants and stop")
    parser.add_argument("--export", metavar="FILE", help="write the job's inference as ONNX and stop")
    options = parser.parse_args()
    if options.variants:
        print(json.dumps({"peer": f"PyTorch {torch.__version__}", "variants": variants(options.job.split("/")[0])}))
        return
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    runner = Runner(options)
    if options.export:
        export(runner, options.export)
        return
    run = getattr(runner, runner.kind)()
    for _ in range(options.warmup):
        run()
    seconds = []
    for _ in range(options.repetitions):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"peer": f"PyTorch {torch.__version__}", "job": options.job, "variant": options.variant,
                      "precision": options.precision, "threads": options.threads, "seconds": seconds,
                      "rss_mib": peak_mebibytes()}))


if __name__ == "__main__":
    main()
