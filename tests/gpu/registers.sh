#!/bin/sh
# sh registers.sh TABLE LOG VERSION [update]: compares each kernel's registers and spilled bytes, as ptxas reported them
# in LOG, with TABLE; fails where a kernel spills more, needs over 8 registers more, or is not in the table. `update`
# writes the table anew.
set -eu
table=$1 log=$2 version=$3
wanted=$(sed -n 's|^nvcc ||p' "$table")
if [ "${4-}" != update ]; then
    case $version in
        "$wanted".*) ;;
        *) echo "skipped: the table is of nvcc $wanted, found: $version"; exit 0 ;;
    esac
fi
found=$(mktemp)
trap 'rm -f "$found"' EXIT
# One line a kernel: architecture, registers, bytes of spill stores and loads, name.
sed -n "/Compiling entry/{s/.*'\(.*\)' for '\(.*\)'.*/\2 \1/;h;}
        /bytes spill/{s/.*frame, \([0-9]*\) .*, \([0-9]*\) .*/\1 \2/;H;}
        /Used/{s/.*Used \([0-9]*\) .*/\1/;H;x;s/\n/ /g;p;}" "$log" |
    awk '{ print $1, $5, $3 + $4, $2 }' | c++filt |
    sed -e 's/mtdn::detail::cuda:://g' -e 's/kernels_[0-9_]*:://g' -e 's/void run<\(.*\) >(.*/\1/' |
    grep -E '^sm_(80|90a) ' | LC_ALL=C sort -k1,1 -k4 > "$found"
if [ "${4-}" = update ]; then
    { echo "nvcc $(echo "$version" | cut -d. -f1,2)"; cat "$found"; } > "$table"
    exit 0
fi
awk 'NR == FNR { if (NF > 3) { name = $4; for (i = 5; i <= NF; ++i) name = name " " $i
                               registers[$1 name] = $2; spills[$1 name] = $3 } next }
     { name = $4; for (i = 5; i <= NF; ++i) name = name " " $i; ++kernels }
     !(($1 name) in registers) { print $1, name ": is not in the table"; bad = 1; next }
     $2 > registers[$1 name] + 8 { print $1, name ": " $2 " registers, were " registers[$1 name]; bad = 1 }
     $3 > spills[$1 name] { print $1, name ": " $3 " bytes spilled, were " spills[$1 name]; bad = 1 }
     END { print kernels + 0, "kernels"; exit bad || !kernels }' "$table" "$found" || {
    echo "If it must be so: sh tests/gpu/registers.sh $table $log $version update" >&2
    exit 1
}
