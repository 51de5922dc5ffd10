#!/usr/bin/env bash
# Measures Flower and Fedloom in turn on this machine, and prints both beside each other.
#   bench/flower/compare.sh [repetitions, 3] [folder for the figures]
# The complete graph with Flower, some minutes, is run once.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1

repetitions="${1:-3}"
results="${2:-$(mktemp -d)}"
here="$(cd "$(dirname "$0")" && pwd)"
environment="${FLOWER_ENVIRONMENT:-${TMPDIR:-/tmp}/fedloom-flower}"
python="$environment/bin/python"

if ! [ -x "$python" ]; then
  python3 -m venv "$environment"
  "$python" -m pip install --quiet --requirement "$here/requirements.txt"
fi
mkdir -p "$results"
cd "$here/../.."

uptime
for ((i = 1; i <= repetitions; i += 1)); do
  "$python" "$here/measure.py" --shares 21 > "$results/flower-21-$i.json"
  npx --no-install tsx bench/run.ts --measure secagg > "$results/fedloom-$i.txt"
done
"$python" "$here/measure.py" --shares 100 > "$results/flower-100.json"
uptime

echo "node $(node --version | tr -d v), figures in $results"
"$python" "$here/table.py" "$results"
echo
"$python" "$here/facts.py"
