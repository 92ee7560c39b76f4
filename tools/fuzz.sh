#!/usr/bin/env bash
# Fuzzes every decoder of the module in the working directory, each for $1 (a duration such as 30s).
#
# The go command now and then takes the end of -fuzztime for a failure and says nothing but "context deadline exceeded"
# (go.dev/issue/75804). A real finding names a failing input; only those, and any other failure, count.
#
# Inputs that are worth keeping are made smaller first, for up to a minute each unless told otherwise: with inputs of some
# kilobytes that would be all that happens.
set -uo pipefail
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do
    echo "$package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 100x "$package" > "$out" 2>&1 && continue
    if grep -q 'context deadline exceeded' "$out" && ! grep -qE 'Failing input|panic:|_test\.go:' "$out"; then
      continue
    fi
    cat "$out"
    exit 1
  done
done
