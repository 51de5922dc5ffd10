#!/usr/bin/env bash
# Generates anew what is generated, and fails if it differs from what is there: the protobuf code in
# computations/wire/gen (after a change of a .proto file: npx buf generate) and the WebAssembly kernel
# (after a change of simd-kernel.wat: npx tsx scripts/generate-simd-kernel.ts).
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

tsx scripts/generate-simd-kernel.ts --check

buf lint
buf generate --output "$fresh"

if ! diff -r -u computations/wire/gen "$fresh/computations/wire/gen"; then
  echo 'computations/wire/gen does not match the .proto files. Run: npx buf generate' >&2
  exit 1
fi
