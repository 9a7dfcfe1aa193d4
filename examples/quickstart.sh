#!/bin/sh
# sh examples/quickstart.sh [OUT]: installs what is missing, builds the program for this machine, makes synthetic films
# of gasifying filaments, trains on some, and scores and pictures the others. OUT is runs/quickstart, made
# anew, unless given.
set -eu
cd "$(dirname "$0")/.."
out=${1:-runs/quickstart}
[ $# -gt 0 ] || rm -rf "$out"
sh examples/install.sh
if [ -x build/tests/bin/mtdn ]; then  # the tests' build has the same program
    cmake --build --preset all-tests --target mtdn_program
    PATH=$PWD/build/tests/bin:$PATH
else
    cmake --preset release --compile-no-warning-as-error
    cmake --build --preset release
    PATH=$PWD/build/release/bin:$PATH
fi
set -x
mtdn synthesize "$out/film" --sequences 10 --size 96 --seed 1
mtdn train --data "$out/film" --out "$out/run" --channels 1 --width 8 --epochs 6 --lr 3e-3 --beta 0.5 --seed 1
mtdn evaluate --model "$out/run/best.safetensors" --data "$out/film" --threshold --pictures "$out/pictures" \
    > "$out/scores.txt"
set +x
cat "$out/scores.txt"
# Whether it has learned: every total of every fusion, macro F1.
awk '/^[a-z]+$/ { fusion = $1 }
     /^A[12]$/ { task = $1 }
     $1 == "total" && fusion != "threshold" {
         ++totals
         least = task == "A1" ? 0.95 : 0.85
         if ($3 < least) { print fusion, task ": macro F1 " $3 ", expected at least " least; low = 1 }
     }
     END { exit low || totals != 8 }' "$out/scores.txt"
echo "Pictures of the sequences that were not trained on: $out/pictures"
