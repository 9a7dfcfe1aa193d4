#!/bin/sh
# sh tests/run.sh [CTEST OPTIONS]: installs what is missing, builds everything and runs all tests. MTDN_ETEM, where it
# is set, names the folder of the published data; tests that need it are skipped otherwise.
set -eu
cd "$(dirname "$0")/.."
sh examples/install.sh tests
cmake --preset all-tests
cmake --build --preset all-tests
ctest --preset all-tests --parallel "$(nproc)" "$@"
