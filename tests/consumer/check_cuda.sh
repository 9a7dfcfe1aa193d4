#!/bin/sh
# sh check_cuda.sh SOURCE BUILD WORK CMAKE COMPILER NVCC: builds cuda/ against what BUILD installs into WORK, and runs
# it; without a file that instantiates the backend, the linker must say what to add.
set -eu
source=$1 build=$2 work=$3 cmake=$4 compiler=$5 nvcc=$6
rm -rf "$work"
mkdir -p "$work"
"$cmake" --install "$build" --prefix "$work/prefix" --component library > "$work/install.log"
# PTX alone, as it comes, is quickest to compile, and runs on any GPU.
"$cmake" -S "$source/tests/consumer/cuda" -B "$work/build" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES=75-virtual -DCMAKE_CUDA_FLAGS="-Xcicc -O0" \
    -DCMAKE_PREFIX_PATH="$work/prefix"
"$cmake" --build "$work/build"
"$work/build/program"
"$work/build/twice"
if "$cmake" --build "$work/build" --target without > "$work/without.log" 2>&1; then
    echo "the program without a .cu file links, and must not" >&2
    exit 1
fi
grep -q add_one_cu_file_that_includes_mtdn_cuda_kernels_cuh "$work/without.log" || {
    cat "$work/without.log"
    echo "the linker must name add_one_cu_file_that_includes_mtdn_cuda_kernels_cuh" >&2
    exit 1
}
