#!/bin/sh
# sh check.sh WAY SOURCE BUILD WORK CMAKE COMPILER: builds project/ against the mtdn in SOURCE, or against what BUILD
# installs into WORK, and runs what comes out.
set -eu
way=$1 source=$2 build=$3 work=$4 cmake=$5 compiler=$6
project=$source/tests/consumer/project
rm -rf "$work"
mkdir -p "$work"
case $way in
    find_package | pkg_config)
        "$cmake" --install "$build" --prefix "$work/prefix" --component library > "$work/install.log"
        ;;
esac
if [ "$way" = pkg_config ]; then
    PKG_CONFIG_PATH=$work/prefix/share/pkgconfig
    export PKG_CONFIG_PATH
    # The flags are words, so they stay unquoted.
    "$compiler" -std=c++20 $(pkg-config --cflags mtdn) "$project/without_files.cpp" -o "$work/without_files" \
        $(pkg-config --libs mtdn)
    "$compiler" -std=c++20 $(pkg-config --cflags mtdn-io) "$project/with_files.cpp" -o "$work/with_files" \
        $(pkg-config --libs mtdn-io)
    bin=$work
else
    "$cmake" -S "$project" -B "$work/build" -DCMAKE_CXX_COMPILER="$compiler" -DWAY="$way" -DMTDN_SOURCE="$source" \
        -DCMAKE_PREFIX_PATH="$work/prefix" -DFETCHCONTENT_SOURCE_DIR_MTDN="$source"
    "$cmake" --build "$work/build"
    bin=$work/build
fi
cd "$work"
"$bin/without_files"
"$bin/with_files"
