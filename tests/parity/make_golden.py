#!/usr/bin/env python3
"""Writes golden/siamese.txt: a small Siamese model's gradients, and its state after 20 AdamW steps, by PyTorch.

    python3 make_golden.py        (PyTorch 1.13 made the file that is committed; any later one gives the same to 1e-10)

Weights, frames and labels are not stored: both sides compute them by `formula`. A line is
`gradient|state NAME NORM DOT S0 S1 S2 S3`: a tensor's norm, its product with the formula's vector "dot NAME", and the
elements at 0, 1/4, 1/2 and 3/4 of it; or `loss STEP VALUE`.
"""
from pathlib import Path

import numpy as np
import torch

from torch_models import Siamese, focal_loss

WIDTH, SIZE, PAIRS, STEPS = 3, 32, 2, 20
CLASS_WEIGHTS = [[1.25, 9.0, 7.5, 3.25], [1.0, 30.0, 26.0, 8.0]]


def words(name, count):
    """Random-looking 32-bit numbers, a function of name and index alone."""
    mask = np.uint64(0xFFFFFFFF)
    seed = 2166136261
    for letter in name.encode():
        seed = (seed ^ letter) * 16777619 & 0xFFFFFFFF
    x = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B1) + np.uint64(seed)) & mask
    for shift, factor in ((15, 0x2C1B3CD1), (12, 0x297A2D39)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & mask
    return x ^ (x >> np.uint64(15))


def formula(name, shape):
    """Uniform in [-1, 1)."""
    count = int(np.prod(shape))
    return torch.from_numpy(words(name, count).astype(np.float64) / 2**31 - 1).reshape(shape)


def first_state(model):
    for name, tensor in model.state_dict().items():
        u = formula(name, tuple(tensor.shape))
        if tensor.dim() == 4:
            u = u / np.sqrt(float(tensor.shape[1] * tensor.shape[2] * tensor.shape[3]))
        elif name.endswith(("running_mean", "bias")):
            u = u / 4
        elif not name.endswith("tracked"):
            u = 1 + u / 4
        tensor.copy_(u)


def line(kind, name, tensor):
    flat = tensor.detach().reshape(-1)
    count = flat.numel()
    numbers = [flat.norm().item(), (flat * formula("dot " + name, (count,))).sum().item()]
    numbers += [flat[count * i // 4].item() for i in range(4)]
    return " ".join([kind, name] + [f"{number:.12e}" for number in numbers])


def main():
    model = Siamese(inputs=2, width=WIDTH).double()
    with torch.no_grad():
        first_state(model)
    frames = formula("frames", (2 * PAIRS, SIZE, SIZE, 2)).permute(0, 3, 1, 2)
    labels = {}
    for task in ("A1", "A2"):
        drawn = torch.from_numpy((words("labels " + task, PAIRS * SIZE * SIZE) >> np.uint64(16)).astype(np.int64))
        labels[task] = torch.where(drawn % 16 == 0, 255, drawn // 16 % 4).reshape(PAIRS, SIZE, SIZE)
    weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    lines = []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        logits = model(frames[:PAIRS], frames[PAIRS:])
        loss = sum(focal_loss(logits[j], labels[f"A{j + 1}"], weights[j]) for j in range(2))
        loss.backward()
        lines.append(f"loss {step} {loss.item():.12e}")
        if step == 0:
            lines += [line("gradient", name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
        optimizer.step()
    lines += [line("state", name, tensor) for name, tensor in model.state_dict().items()
              if not name.endswith("tracked") and not name.startswith("conv.")]
    path = Path(__file__).parent / "golden" / "siamese.txt"
    path.write_text("\n".join(lines) + "\n")
    print(f"PyTorch {torch.__version__}: {len(lines)} lines, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
