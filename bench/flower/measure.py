"""Prints, as JSON, what a round of Flower's SecAgg+ costs: `measure.py --shares 21 --lost 0 10`."""

from __future__ import annotations

import argparse
import json
import logging
import platform
import random
import sys
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from time import perf_counter

import numpy as np
from flwr.common.secure_aggregation.quantization import dequantize, quantize
from flwr.common.secure_aggregation.secaggplus_constants import Stage
from in_process import InProcessGrid, run_round

PACKAGES = ("flwr", "numpy", "cryptography", "pycryptodome", "protobuf")
CLIPPING_RANGE, LEVELS = 8.0, 2**22
REPETITIONS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--shares", type=int, default=21)
    parser.add_argument("--threshold", type=float, default=0.66)
    parser.add_argument("--lost", type=int, nargs="+", default=[0, 10], help="per cent")
    options = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    rounds = [measure(options, lost) for lost in options.lost]
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    json.dump({"versions": versions, "rounds": rounds, **quantization(options.values)}, sys.stdout)
    print()


def measure(options: argparse.Namespace, lost_percent: int) -> dict[str, object]:
    """Milliseconds of a client (median over clients) and of the server, and bytes a value."""
    update = vector(options.values)
    nodes = random.sample(range(1, 2**62), options.clients)
    gone = nodes[: options.clients * lost_percent // 100]
    lost = dict.fromkeys(gone, Stage.COLLECT_MASKED_VECTORS)
    grid = InProcessGrid(dict.fromkeys(nodes, update), lost)
    result = run_round(grid, options.shares, options.threshold)
    require_mean(result.mean, update)
    client = {stage: 1000 * median(seconds) for stage, seconds in result.client.items()}
    return {
        "shares": options.shares,
        "threshold": round(options.threshold * options.shares),
        "lost": lost_percent,
        "client": client,
        "server": {stage: 1000 * seconds for stage, seconds in result.server.items()},
        "bytesPerValue": median(result.upload) / options.values,
    }


def quantization(values: int) -> dict[str, float]:
    """Milliseconds of Flower's quantisation alone, which is a part of the steps above."""
    floats = [vector(values)]
    levels = quantize(floats, CLIPPING_RANGE, LEVELS)
    return {
        "quantize": repeated(lambda: quantize(floats, CLIPPING_RANGE, LEVELS)),
        "dequantize": repeated(lambda: dequantize(levels, CLIPPING_RANGE, LEVELS)),
    }


def vector(values: int) -> np.ndarray:
    """The vector of every client, that of `bench/cases/secagg.ts`."""
    return (3 * np.sin(np.arange(values))).astype(np.float32)


def require_mean(mean: np.ndarray | None, update: np.ndarray) -> None:
    """All clients have the same vector, and levels are some 4e-6 apart."""
    if mean is None or np.abs(mean - update).max() > 1e-4:
        raise RuntimeError("The round did not give the mean of the vectors.")


def repeated(step: Callable[[], object]) -> float:
    times = []
    for _ in range(REPETITIONS):
        start = perf_counter()
        step()
        times.append(1000 * (perf_counter() - start))
    return median(times)


if __name__ == "__main__":
    main()
