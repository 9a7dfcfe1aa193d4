#!/bin/sh
# sh examples/install.sh [tests]: installs the Debian or Ubuntu packages that building the program needs, and with
# `tests` those of the tests, as far as they are missing. Asks nothing.
set -eu

packages="g++ cmake ninja-build pkg-config libeigen3-dev libxtensor-dev libpng-dev libtiff-dev nlohmann-json3-dev libcli11-dev"
[ "${1-}" != tests ] || packages="$packages catch2 clang-14 openmpi-bin libopenmpi-dev"

if ! command -v dpkg-query > /dev/null; then
    echo "This is not Debian or Ubuntu: install the equivalents of these yourself: $packages" >&2
    exit 0
fi
missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "Installing$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || { echo "Installing packages needs root or sudo" >&2 && exit 1; }
    as_root=sudo
fi
$as_root apt-get update -q
# The names are words, so they stay unquoted.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
