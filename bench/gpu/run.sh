#!/bin/sh
# sh bench/gpu/run.sh [PIECE...]: on a machine with a GPU, nvcc and g++, and nothing else of need: build, parity,
# sanitizer, steps, torch, training; all where none is named. Each takes less than ten minutes, so that they may be run one at a
# time; build comes first. What they say is added to build/gpu/report.md, or to the file that MTDN_REPORT names.
#
# training takes the program, and is skipped where the libraries that it needs are missing; torch is PyTorch's times for
# the same steps, where MTDN_PYTHON names a python that has it.
set -u
cd "$(dirname "$0")/../.."
work=build/gpu
report=${MTDN_REPORT:-$work/report.md}
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
cxx=${CXX:-g++}
mkdir -p "$work"
failed=0

# say TITLE COMMAND...: runs it and adds what it says to the report.
say() {
    title=$1
    shift
    { echo; echo "## $title"; echo '```'; } >> "$report"
    start=$(date +%s)
    "$@" > "$work/output.txt" 2>&1
    status=$?
    tail -n 200 "$work/output.txt" | tee -a "$report"
    { echo '```'; echo "exit status $status, $(($(date +%s) - start)) s"; } | tee -a "$report"
    [ $status -eq 0 ] || failed=1
}

build() {
    say "nvcc" "$nvcc" --version
    say "kernels" "$nvcc" -std=c++20 -O3 -arch=native -lineinfo -Iinclude -c examples/mtdn/kernels.cu \
        -o "$work/kernels.o"
    for source in tests/gpu/operations.cpp bench/gpu/steps.cpp; do
        name=$(basename "$source" .cpp)
        say "$name: compile" "$cxx" -std=c++20 -O2 -march=native -Iinclude -c "$source" -o "$work/$name.o"
        say "$name: link" "$nvcc" -arch=native "$work/$name.o" "$work/kernels.o" -Xcompiler -pthread -o "$work/$name"
    done
}

parity() {
    say "every operation against the reference" "$work/operations"
    say "three steps on both devices" "$work/steps" losses
}

sanitizer() {
    sanitizer=$(command -v compute-sanitizer || echo "$(dirname "$nvcc")/compute-sanitizer")
    if [ ! -x "$sanitizer" ]; then
        say "sanitizer" echo "skipped: no compute-sanitizer"
        return
    fi
    # A step of a small network: it slows kernels down a hundredfold.
    for tool in memcheck racecheck initcheck synccheck; do
        say "$tool" "$sanitizer" --tool "$tool" --error-exitcode 1 "$work/steps" step 4 32 1 1
    done
}

steps() {
    say "GPU" nvidia-smi --query-gpu=name,clocks.sm,clocks.mem,memory.total,driver_version --format=csv
    for job in "step 32 256 1" "step 32 256 16" "inference 32 256 1" "inference 32 256 16"; do
        # The job is words, so it stays unquoted.
        say "$job" "$work/steps" $job
    done
}

torch() {
    if [ -z "${MTDN_PYTHON-}" ]; then
        say "PyTorch" echo "skipped: MTDN_PYTHON names no python with PyTorch"
        return
    fi
    for options in "" "--precision tf32" "--precision bf16" "--precision bf16 --compiled"; do
        for job in "step 32 256 16" "inference 32 256 16"; do
            # Both are words, so they stay unquoted.
            say "PyTorch, $job $options" "$MTDN_PYTHON" bench/gpu/torch_steps.py $job $options
        done
    done
}

training() {
    if ! cmake --preset cuda --compile-no-warning-as-error > "$work/configure.txt" 2>&1; then
        say "training" echo "skipped: cmake --preset cuda failed, see $work/configure.txt"
        return
    fi
    say "the program: build" cmake --build --preset cuda
    mtdn=build/cuda/bin/mtdn
    rm -rf "$work/film" "$work/run_cpu" "$work/run_cuda"
    say "a film" "$mtdn" synthesize "$work/film" --sequences 10 --size 96 --seed 1
    for device in cuda cpu; do
        say "training on $device" "$mtdn" train --data "$work/film" --out "$work/run_$device" --device "$device" \
            --channels 1 --width 8 --epochs 3 --lr 3e-3 --beta 0.5 --seed 1
    done
}

[ $# -gt 0 ] || set -- build parity sanitizer steps torch training
echo "# $(date -u +%Y-%m-%dT%H:%M:%SZ), $(git rev-parse --short HEAD 2> /dev/null || echo unknown)" >> "$report"
for piece in "$@"; do
    case $piece in
        build | parity | sanitizer | steps | torch | training) "$piece" ;;
        *) echo "run.sh: $piece is none of build, parity, sanitizer, steps, torch, training" >&2 && exit 2 ;;
    esac
done
echo "report: $report"
exit $failed
