#!/bin/sh
# sh compile_cost.sh BUDGET VERSION TRACES: prints how many templates clang has instantiated in each unit of the budget,
# by its traces, and fails where it is more than the budget allows.
set -u
budget=$1 version=$2 traces=$3
wanted=$(sed -n 's|^clang ||p' "$budget")
case $version in
    "$wanted".*) ;;
    *) echo "skipped: the budget is for clang $wanted, found: $version"; exit 0 ;;
esac
sed -n '/^[0-9]/p' "$budget" | {
    status=0
    while read -r most unit; do
        count=$(grep -Eo '"name":"Instantiate(Class|Function)"' "$traces/$unit.json" | wc -l)
        echo "$count template instantiations in $unit, of $most"
        [ "$count" -gt 0 ] && [ "$count" -le "$most" ] && continue
        echo "$unit: instantiate less, or raise the budget in $budget and say why" >&2
        status=1
    done
    exit $status
}
