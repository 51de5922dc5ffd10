#!/usr/bin/env bash
# Generates the protobuf code anew in a temporary folder and fails if it differs from the code in
# computations/wire/gen. After a change of a .proto file: npx buf generate
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

buf lint
buf generate --output "$fresh"

if ! diff -r -u computations/wire/gen "$fresh/computations/wire/gen"; then
  echo 'computations/wire/gen does not match the .proto files. Run: npx buf generate' >&2
  exit 1
fi
