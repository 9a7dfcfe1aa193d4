#!/bin/sh
# sh bench/gpu/run.sh [PIECE...]: on a machine with a GPU, nvcc and g++, and nothing else of need: build, parity,
# recorded, memcheck, racecheck, initcheck, synccheck (the sanitizer's tools), ceilings, steps, cliques, profile, torch,
# torch_compiled, torch_graphs, torch_cliques, training; all where none is named. Each takes less than ten minutes, so
# that they may be run one at a time; build comes first. A piece that has been done with success is not done again by
# the same commit, unless it is named. What they say is added to build/gpu/report.md, or to the file that MTDN_REPORT
# names.
#
# recorded takes xtensor's and Eigen's headers, and is skipped where g++ does not find them. profile takes nsys.
# Where cuDNN's header and library are beside nvcc's, parity and steps are run with its convolutions too. training takes
# the program, and is skipped where the libraries that it needs are missing; torch is PyTorch's times for the same
# steps, where MTDN_PYTHON names a python that has it.
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

# compile NAME SOURCE KERNELS [FLAG...]: a program of a host source and of kernels.
compile() {
    name=$1 source=$2 kernels=$3
    shift 3
    say "$name: compile" "$cxx" -std=c++20 -O2 -march=native -Iinclude "$@" -c "$source" -o "$work/$name.o"
    libraries=
    [ "$kernels" = kernels ] || libraries=-lcudnn
    say "$name: link" "$nvcc" -arch=native "$work/$name.o" "$work/$kernels.o" $libraries -Xcompiler -pthread \
        -o "$work/$name"
}

build() {
    say "nvcc" "$nvcc" --version
    say "kernels" "$nvcc" -std=c++20 -O3 -arch=native -lineinfo -Iinclude -c examples/mtdn/kernels.cu \
        -o "$work/kernels.o"
    compile operations tests/gpu/operations.cpp kernels
    compile steps bench/gpu/steps.cpp kernels
    if echo '#include <xtensor/xtensor.hpp>' | "$cxx" -std=c++20 -E -x c++ - > "$work/output.txt" 2>&1; then
        compile trainings bench/gpu/trainings.cpp kernels -Itests -isystem /usr/include/eigen3
    fi
    if echo '#include <cudnn.h>' | "$nvcc" -E -x cu - > "$work/output.txt" 2>&1; then
        say "kernels with cuDNN" "$nvcc" -std=c++20 -O3 -arch=native -lineinfo -Iinclude \
            -c tests/consumer/cudnn/kernels.cu -o "$work/kernels_cudnn.o"
        compile operations_cudnn tests/gpu/operations.cpp kernels_cudnn -DMTDN_CUDNN
        compile steps_cudnn bench/gpu/steps.cpp kernels_cudnn -DMTDN_CUDNN
    fi
    # Hopper has products that no other GPU has.
    arch=native
    [ "$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1)" != 9.0 ] || arch=sm_90a
    say "ceilings: compile" "$nvcc" -std=c++20 -O3 -arch=$arch -Iinclude bench/gpu/ceilings.cu -lcublas \
        -o "$work/ceilings"
}

# with_cudnn NAME: whether the program was built with cuDNN's convolutions.
with_cudnn() {
    [ -x "$work/$1_cudnn" ] && return
    say "$1 with cuDNN" echo "skipped: not built, for nvcc finds no cudnn.h"
    return 1
}

parity() {
    say "every operation against the reference" "$work/operations"
    say "a network on both devices, and twice" "$work/steps" parity
    if with_cudnn operations; then
        say "every operation with cuDNN against the reference" "$work/operations_cudnn"
        say "a network with cuDNN on both devices, and twice" "$work/steps_cudnn" parity
    fi
}

# Whole trainings, run and recorded, with the frames on the host and on the device.
recorded() {
    if [ ! -x "$work/trainings" ]; then
        say "recorded" echo "skipped: not built, for g++ finds no xtensor/xtensor.hpp"
        return
    fi
    say "trainings run and played back" "$work/trainings"
    say "trainings run and played back, cliques of 4" "$work/trainings" 8 64 16 4 30
    say "trainings run and played back, published size" "$work/trainings" 32 256 16 0 12
}

sanitize() {
    sanitizer=$(command -v compute-sanitizer || echo "$(dirname "$nvcc")/compute-sanitizer")
    if [ ! -x "$sanitizer" ]; then
        say "$1" echo "skipped: no compute-sanitizer"
        return
    fi
    # It slows kernels down a hundredfold: the table's operations are small, and so is the network of a step.
    for job in "operations table" "steps step 4 32 1 1" "steps step 4 32 1 1 tf32x3" "steps step 4 32 1 1 tf32" \
        "steps step 4 32 1 1 bf16"; do
        # The job is words, so it stays unquoted.
        say "$1, $job" timeout 110 "$sanitizer" --tool "$1" --error-exitcode 1 "$work"/$job
    done
}

ceilings() {
    say "ceilings" "$work/ceilings"
}

steps() {
    say "GPU" nvidia-smi --query-gpu=name,clocks.sm,clocks.mem,memory.total,driver_version --format=csv
    programs=steps
    if with_cudnn steps; then programs="steps steps_cudnn"; fi
    for job in "step 32 256 1" "step 32 256 16" "inference 32 256 1" "inference 32 256 16"; do
        # Programs and jobs are words, so they stay unquoted.
        for program in $programs; do
            for precision in single tf32x3 tf32 bf16; do
                [ "$program $precision" = "steps_cudnn tf32x3" ] && continue  # it has none
                say "$program $job $precision" "$work/$program" $job $precision
                say "$program $job $precision graph" "$work/$program" $job $precision graph
            done
        done
    done
}

cliques() {
    for job in "clique 32 256 4" "clique 32 256 8" "ensemble 32 256 27"; do
        for precision in single tf32x3 tf32 bf16; do
            say "steps $job $precision" "$work/steps" $job $precision
            say "steps $job $precision graph" "$work/steps" $job $precision graph
        done
    done
}

# Where the time of a step, of inference, and of an ensemble goes, kernel by kernel.
profile() {
    if ! command -v nsys > /dev/null; then
        say "profile" echo "skipped: no nsys"
        return
    fi
    for precision in single bf16; do
        for job in "step 32 256 16" "inference 32 256 16" "ensemble 32 256 8"; do
            # The job is words, so it stays unquoted.
            say "profile of $job, $precision" nsys profile --force-overwrite=true --trace=cuda --stats=true \
                --output "$work/profile_${job%% *}_$precision" "$work/steps" $job $precision 3
        done
    done
}

# torch_jobs HOW: PyTorch's times for the jobs in $jobs, in every precision, with the options HOW.
torch_jobs() {
    if [ -z "${MTDN_PYTHON-}" ]; then
        say "PyTorch" echo "skipped: MTDN_PYTHON names no python with PyTorch"
        return
    fi
    for precision in f32 tf32 bf16; do
        for job in "step 32 256 1" "step 32 256 16" "inference 32 256 1" "inference 32 256 16"; do
            # Job and options are words, so they stay unquoted.
            say "PyTorch, $job, $precision $1" "$MTDN_PYTHON" bench/gpu/torch_steps.py $job --precision $precision $1
        done
    done
}

torch() {
    torch_jobs ""
    [ -n "${MTDN_PYTHON-}" ] || return 0
    for options in --contiguous --no-benchmark; do
        say "PyTorch, a step, bf16 $options" \
            "$MTDN_PYTHON" bench/gpu/torch_steps.py step 32 256 16 --precision bf16 $options
    done
}
torch_compiled() { torch_jobs "--compiled"; }
torch_graphs() { torch_jobs "--graph"; }

torch_cliques() {
    if [ -z "${MTDN_PYTHON-}" ]; then
        say "PyTorch" echo "skipped: MTDN_PYTHON names no python with PyTorch"
        return
    fi
    for job in "clique 32 256 4" "clique 32 256 8" "ensemble 32 256 27"; do
        for options in "--precision f32" "--precision tf32" "--precision bf16" "--precision bf16 --graph"; do
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

pieces="build parity recorded memcheck racecheck initcheck synccheck ceilings steps cliques profile torch torch_compiled
torch_graphs torch_cliques training"
commit=$(git rev-parse --short HEAD 2> /dev/null || echo unknown)
named=$#
[ $named -gt 0 ] || set -- $pieces  # words, so unquoted
echo "# $(date -u +%Y-%m-%dT%H:%M:%SZ), $commit" >> "$report"
failures=0
for piece in "$@"; do
    if [ $named -eq 0 ] && [ "$(cat "$work/$piece.done" 2> /dev/null)" = "$commit" ]; then
        echo "$piece: done before, see $report; name it to do it again"
        continue
    fi
    failed=0
    case $piece in
        build | parity | recorded | ceilings | steps | cliques | profile | torch | torch_compiled | torch_graphs | \
            torch_cliques | training) "$piece" ;;
        memcheck | racecheck | initcheck | synccheck) sanitize "$piece" ;;
        *) echo "run.sh: $piece is none of $pieces" >&2 && exit 2 ;;
    esac
    [ $failed -ne 0 ] || echo "$commit" > "$work/$piece.done"
    failures=$((failures + failed))
done
echo "report: $report"
[ $failures -eq 0 ]
