#!/usr/bin/env python3
"""ONNX Runtime's side of the comparison, inference only: onnx_peer.py MODEL inference/WIDTH/SIZE/PAIRS [--threads N]

MODEL is what `torch_peer.py inference/WIDTH/SIZE/1 --export MODEL` wrote. Prints one line of JSON.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("job")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    _, _, size, pairs = options.job.split("/")

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    frames = {name: random.random((int(pairs), 3, int(size), int(size)), dtype=np.float32)
              for name in ("query", "partner")}
    seconds = []
    for repetition in range(options.warmup + options.repetitions):
        start = time.perf_counter()
        session.run(None, frames)
        if repetition >= options.warmup:
            seconds.append(time.perf_counter() - start)
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"peer": f"ONNX Runtime {onnxruntime.__version__}", "job": options.job,
                      "threads": options.threads, "seconds": seconds, "rss_mib": peak}))


if __name__ == "__main__":
    main()
