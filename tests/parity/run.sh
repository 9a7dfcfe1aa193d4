#!/bin/sh
# sh tests/parity/run.sh: compares with PyTorch, live, which takes minutes; MTDN_PYTHON names a Python that has it.
# MTDN_PROGRAM is the program mtdn, MTDN_PARITY_DRIVER parity.cpp built; the driver is built here where it is not named.
set -eu
cd "$(dirname "$0")"
python=${MTDN_PYTHON-}
if [ -z "$python" ]; then
    echo "skipped: MTDN_PYTHON is not set"
    exit 0
fi
if ! "$python" -c "import torch, numpy" 2>/dev/null; then
    echo "skipped: $python has no PyTorch"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
driver=${MTDN_PARITY_DRIVER:-$folder/parity}
if [ ! -x "$driver" ]; then
    ${CXX:-g++} -std=c++20 -O3 -march=native -I../../include -I.. -isystem /usr/include/eigen3 \
        parity.cpp -o "$driver" -pthread
fi
PYTHONDONTWRITEBYTECODE=1 "$python" parity.py "$driver" ${MTDN_PROGRAM:+"$MTDN_PROGRAM"}
