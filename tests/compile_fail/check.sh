#!/bin/sh
# sh check.sh SOURCE COMPILER FLAGS...: SOURCE must compile; with MTDN_SHOULD_FAIL defined it must not, and the compiler
# must say what the first line, `// expect: REGEX`, pins.
set -u
source=$1
shift
expected=$(sed -n '1s|^// expect: ||p' "$source")
if [ -z "$expected" ]; then
    echo "$source: the first line must be \`// expect: REGEX\`" >&2
    exit 1
fi
if ! "$@" -fsyntax-only "$source"; then
    echo "$source: must compile without MTDN_SHOULD_FAIL" >&2
    exit 1
fi
if output=$("$@" -fsyntax-only -DMTDN_SHOULD_FAIL "$source" 2>&1); then
    echo "$source: compiles with MTDN_SHOULD_FAIL, and must not" >&2
    exit 1
fi
if ! printf '%s\n' "$output" | grep -Eq -e "$expected"; then
    printf '%s\n%s: the message must match: %s\n' "$output" "$source" "$expected" >&2
    exit 1
fi
