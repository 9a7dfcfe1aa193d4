#!/usr/bin/env python3
"""Writes golden.txt: small operations run by PyTorch in double precision.

    python3 make_golden.py        (PyTorch 1.13 made the file that is committed; any later one gives the same)

One record a line: `case NAME KEY=NUMBER…` opens a case, `tensor NAME F H W C value…` gives it a tensor, channels
last, convolution weights as (k, k, in, out); values are C99 hexadecimal, so nothing is rounded.
"""
import re
from pathlib import Path

import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
lines = []


def case(name, **options):
    lines.append(" ".join(["case", name] + [f"{key}={value}" for key, value in options.items()]))


def put(name, tensor):
    """A tensor in our layout: 4-d (N, C, H, W) goes channels last, a vector is (1, 1, 1, C)."""
    tensor = tensor.detach()
    tensor = tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor.reshape(1, 1, 1, -1)
    values = [re.sub(r"\.?0+p", "p", float(value).hex()) for value in tensor.reshape(-1)]
    lines.append(" ".join(["tensor", name] + [str(size) for size in tensor.shape] + values))


def put_weight(name, tensor, order):
    put(name, tensor.detach().permute(*order).permute(0, 3, 1, 2))


def leaf(*shape, low=-1.0, high=1.0):
    # Few binary digits, so that the file is small.
    values = torch.round(torch.empty(*shape).uniform_(low, high) * 4096) / 4096
    return values.requires_grad_(True)


def backward(y):
    dy = leaf(*y.shape).detach()
    y.backward(dy)
    put("y", y)
    put("dy", dy)


def convolution(kernel, stride, padding, channels, out):
    case("convolve", kernel=kernel, stride=stride, padding=padding)
    x, w, b = leaf(2, channels, 6, 5), leaf(out, channels, kernel, kernel), leaf(out)
    backward(F.conv2d(x, w, b, stride, padding))
    put("x", x), put_weight("w", w, (2, 3, 1, 0)), put("bias", b)
    put("dx", x.grad), put_weight("dw", w.grad, (2, 3, 1, 0)), put("dbias", b.grad)


for arguments in [(1, 1, 0, 3, 2), (3, 1, 1, 2, 3), (3, 1, 0, 2, 2), (3, 2, 1, 2, 3), (5, 1, 2, 1, 2), (2, 2, 0, 2, 2)]:
    convolution(*arguments)

case("transposed_convolve")
x, w, b = leaf(2, 3, 3, 2), leaf(3, 2, 2, 2), leaf(2)
backward(F.conv_transpose2d(x, w, b, 2))
put("x", x), put_weight("w", w, (2, 3, 0, 1)), put("bias", b)
put("dx", x.grad), put_weight("dw", w.grad, (2, 3, 0, 1)), put("dbias", b.grad)

for training in (1, 0):
    case("batch_norm", training=training)
    x, w, b = leaf(2, 3, 3, 4, low=1, high=4), leaf(3), leaf(3)
    running_mean, running_variance = leaf(3).detach(), leaf(3, low=0.5, high=2).detach()
    put("running_mean", running_mean), put("running_variance", running_variance)
    backward(F.relu(F.batch_norm(x, running_mean, running_variance, w, b, bool(training), 0.1, 1e-5)))
    put("x", x), put("weight", w), put("bias", b)
    put("dx", x.grad), put("dweight", w.grad), put("dbias", b.grad)
    put("new_running_mean", running_mean), put("new_running_variance", running_variance)

for name, function in {"max_pool": F.max_pool2d, "average_pool": F.avg_pool2d}.items():
    for kernel, stride in [(2, 2), (3, 2), (3, 1)]:
        case(name, kernel=kernel, stride=stride)
        x = leaf(2, 2, 7, 6)
        backward(function(x, kernel, stride))
        put("x", x), put("dx", x.grad)

for name, options in {"resize_nearest": {"mode": "nearest"},
                      "resize_bilinear": {"mode": "bilinear", "align_corners": False}}.items():
    for size in [(8, 10), (7, 9), (3, 2), (1, 5)]:
        case(name)
        x = leaf(1, 2, 4, 5)
        backward(F.interpolate(x, size, **options))
        put("x", x), put("dx", x.grad)

# Numbered as the enumerators of mtdn::Activation.
for number, function in enumerate([lambda x: x * 1, F.relu, F.leaky_relu, torch.sigmoid, torch.tanh, F.silu, F.gelu,
                                   torch.abs]):
    case("activate", activation=number)
    x = leaf(1, 2, 4, 5, low=-5, high=5)
    backward(function(x))
    put("x", x), put("dx", x.grad)

for name, function in {"softmax": F.softmax, "log_softmax": F.log_softmax}.items():
    case(name)
    x = leaf(1, 4, 3, 5, low=-6, high=6)
    backward(function(x, dim=1))
    put("x", x), put("dx", x.grad)


def put_labels(labels):
    put("labels", labels.unsqueeze(1).to(torch.float64))


# Cross-entropy is PyTorch's own; focal loss is its definition, written out.
for number, reduction in enumerate(["pixels", "sum", "mean"]):
    case("focal", gamma=0, reduction=number, smoothing=0)
    x, weights = leaf(2, 4, 3, 4, low=-6, high=6), leaf(4, low=0.5, high=5).detach()
    labels = torch.randint(0, 4, (2, 3, 4))
    labels[0, 1, :2] = 255
    if reduction == "pixels":
        y = F.cross_entropy(x, labels, weights, ignore_index=255, reduction="sum") / (labels != 255).sum()
    else:
        y = F.cross_entropy(x, labels, weights, ignore_index=255, reduction=reduction)
    backward(y.reshape(1))
    put("x", x), put("weights", weights), put_labels(labels), put("dx", x.grad)

for gamma in (0.5, 1, 2, 3):
    for smoothing in (0, 1e-5):
        if smoothing and gamma != 2:
            continue
        case("focal", gamma=gamma, reduction=0, smoothing=smoothing)
        x, weights = leaf(2, 4, 3, 4, low=-6, high=6), leaf(4, low=0.5, high=5).detach()
        labels = torch.randint(0, 4, (2, 3, 4))
        target = F.one_hot(labels, 4).permute(0, 3, 1, 2).to(torch.float64)
        if smoothing:
            target = target.clamp(smoothing / 3, 1 - smoothing)
        q = (target * F.softmax(x, dim=1)).sum(1) + smoothing
        backward((-weights[labels] * (1 - q) ** gamma * q.log()).mean().reshape(1))
        put("x", x), put("weights", weights), put_labels(labels), put("dx", x.grad)


def optimiser(name, make, **options):
    """Three steps; gradients g1, g2, g3, parameters p0 to p3."""
    case(name, **options)
    parameter = leaf(9)
    put("p0", parameter)
    method = make([parameter])
    for step in (1, 2, 3):
        parameter.grad = leaf(9).detach()
        put(f"g{step}", parameter.grad)
        method.step()
        put(f"p{step}", parameter)


optimiser("adamw", lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1),
          rate=0.01, beta1=0.9, beta2=0.999, decay=0.1)
optimiser("adamw", lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-8, weight_decay=0),
          rate=0.1, beta1=0.8, beta2=0.95, decay=0)
for momentum, decay, nesterov in [(0, 0, 0), (0, 0.1, 0), (0.9, 0.01, 0), (0.9, 0.01, 1)]:
    optimiser("sgd", lambda p: torch.optim.SGD(p, lr=0.1, momentum=momentum, weight_decay=decay,
                                               nesterov=bool(nesterov)),
              rate=0.1, momentum=momentum, decay=decay, nesterov=nesterov)

(Path(__file__).parent / "golden.txt").write_text("\n".join(lines) + "\n")
