#!/bin/sh
# sh log.sh LOG COMMAND...: runs a compiler, and keeps what it says in LOG as long as it succeeds.
log=$1
shift
"$@" > "$log" 2>&1 && exit
status=$?
cat "$log" >&2
exit $status
