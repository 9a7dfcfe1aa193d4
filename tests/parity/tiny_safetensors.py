"""Reads and writes safetensors files of F32, F64, I64 and U8 with nothing but NumPy."""
import json
import struct

import numpy as np
import torch

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}


def save(path, tensors, metadata=None):
    names = {np.dtype(of): name for name, of in TYPES.items()}
    header, data, end = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor.detach().numpy()) if torch.is_tensor(tensor) else np.asarray(tensor)
        shape = list(tensor.shape)  # NumPy would make a single value a list of one
        header[name] = {"dtype": names[array.dtype], "shape": shape, "data_offsets": [end, end + array.nbytes]}
        data.append(array.tobytes())
        end += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def load(path):
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        array = np.frombuffer(data[first:last], dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors
