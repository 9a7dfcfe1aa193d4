#!/bin/sh
# sh bench/peers/run.sh [--quick] [--only TEXT] [--threads N] [--rounds N] [OUT]: builds our side, runs it and what
# peers there are alternately, and prints the table of targets; OUT (default build/peers/results) gets it as Markdown
# and JSON.
# README.md beside this tells how to name the peers.
set -eu
cd "$(dirname "$0")/../.."
out=build/peers/results
options=
while [ $# -gt 0 ]; do
    case $1 in
        --quick) options="$options $1" ;;
        --only | --threads | --rounds)
            [ $# -ge 2 ] || { echo "run.sh: $1 lacks its value" >&2 && exit 2; }
            options="$options $1 $2"
            shift
            ;;
        -*) echo "run.sh: $1 is none of --quick, --only TEXT, --threads N, --rounds N" >&2 && exit 2 ;;
        *) out=$1 ;;
    esac
    shift
done
cmake --preset peers ${MTDN_DNNL_DIR:+-Ddnnl_DIR="$MTDN_DNNL_DIR"} ${MTDN_TORCH:+-DMTDN_TORCH="$MTDN_TORCH"} |
    grep -E "^-- (Peer|Build)|Error" >&2
cmake --build --preset peers >&2
# The options hold no spaces and are words, so they stay unquoted.
PYTHONDONTWRITEBYTECODE=1 python3 bench/peers/compare.py build/peers "$out" $options
