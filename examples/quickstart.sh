#!/bin/sh
# sh examples/quickstart.sh [OUT]: installs what is missing, builds the program for this machine, makes a synthetic film
# of gasifying filaments, trains on it, and shows what was learned. OUT (default runs/quickstart) must not exist yet.
set -eu
cd "$(dirname "$0")/.."
out=${1:-runs/quickstart}
sh examples/install.sh
cmake --preset release --compile-no-warning-as-error
cmake --build --preset release
mtdn=build/release/bin/mtdn

rm -rf "$out"
set -x
$mtdn synthesize "$out/film" --seed 1
$mtdn train --data "$out/film" --out "$out/run" --width 8 --size 128 --seed 1
$mtdn evaluate --model "$out/run/best.safetensors" --data "$out/film" --split test --fusion all
$mtdn plot --model "$out/run/best.safetensors" --data "$out/film" --split test --out "$out/pictures"
set +x
echo "Pictures: $out/pictures"
