#!/bin/sh
# sh check_cudnn.sh SOURCE BUILD WORK CMAKE COMPILER NVCC: builds cudnn/ against what BUILD installs into WORK, and runs
# it.
set -eu
source=$1 build=$2 work=$3 cmake=$4 compiler=$5 nvcc=$6
if ! echo '#include <cudnn.h>' | "$nvcc" -E -x cu - > /dev/null 2>&1; then
    echo "skipped: nvcc finds no cudnn.h"
    exit
fi
rm -rf "$work"
mkdir -p "$work"
"$cmake" --install "$build" --prefix "$work/prefix" --component library > "$work/install.log"
# PTX alone, as it comes, is quickest to compile, and runs on any GPU.
"$cmake" -S "$source/tests/consumer/cudnn" -B "$work/build" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES=75-virtual -DCMAKE_CUDA_FLAGS="-Xcicc -O0" \
    -DCMAKE_PREFIX_PATH="$work/prefix"
"$cmake" --build "$work/build"
"$work/build/program"
