#!/bin/sh
# sh examples/install.sh [tests]: installs the Debian or Ubuntu packages that building the program needs, and with
# `tests` those of the tests, as far as they are missing. Asks nothing.
set -eu

packages="g++ cmake ninja-build pkg-config libeigen3-dev libxtensor-dev libpng-dev libtiff-dev nlohmann-json3-dev"
packages="$packages libcli11-dev"
[ "${1-}" != tests ] || packages="$packages catch2 clang-14"
# Training by several processes, and plots by gnuplot, whose tests are skipped without.
optional=
[ "${1-}" != tests ] || optional="openmpi-bin libopenmpi-dev gnuplot-nox"

if ! command -v dpkg-query > /dev/null; then
    echo "This is not Debian or Ubuntu: install the equivalents of these yourself: $packages" >&2
    exit 0
fi
# The names are words, so they stay unquoted, here and below.
absent() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || printf ' %s' "$package"
    done
}
missing=$(absent $packages)
optional=$(absent $optional)
[ -n "$missing$optional" ] || exit 0

echo "Installing$missing$optional"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || { echo "Installing packages needs root or sudo" >&2 && exit 1; }
    as_root=sudo
fi
install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"
$as_root apt-get update -q || [ -z "$missing" ]
[ -z "$missing" ] || $install $missing
[ -z "$optional" ] || $install $optional || echo "Going on without$optional" >&2
