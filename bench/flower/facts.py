"""Prints what Flower's SecAgg+ does where a server lies or a client is lost, and how many bits its
masks start from. Ten clients of ten values; each line is one thing tried."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from flwr.app import ConfigRecord, Message
from flwr.common.secure_aggregation.crypto.symmetric_encryption import generate_shared_key
from flwr.common.secure_aggregation.secaggplus_constants import (
    RECORD_KEY_CONFIGS,
    Key,
    Stage,
)
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from flwr.supercore.primitives.asymmetric import generate_key_pairs
from in_process import InProcessGrid, run_round

NODES = range(1, 11)
UPDATE = (3 * np.sin(np.arange(10))).astype(np.float32)
MODULUS = 2**32
SHARES = {"complete graph": 10, "5 shares": 5}


def main() -> None:
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    print(f"flwr {version('flwr')}")
    print(f"masks of two keys whose 32-bit words have the same XOR: {masks_of_equal_xor()}")
    print(f"bits of that XOR that vary over 2,000 keys of pairs: {varying_bits()} of 32")
    for name, shares in SHARES.items():
        for stage in Stage.all():
            print(f"{name}, a client lost in {stage}: {loss(shares, stage)}")
    print(f"asked for both shares of one client: {asked_for_both()}")
    print(f"told a threshold of 1: {told_threshold_of_one()}")


def masks_of_equal_xor() -> str:
    words = [random.randbytes(4) for _ in range(8)]
    one, other = (pseudo_rand_gen(b"".join(w), MODULUS, [(1000,)]) for w in (words, words[::-1]))
    return "the same" if np.array_equal(one[0], other[0]) else "different"


def varying_bits() -> int:
    """A pair's key as both ends make it, folded as `pseudo_rand_gen` folds its seed."""
    ever, always = 0, 2**32 - 1
    own, _ = generate_key_pairs()
    for _ in range(2000):
        key = generate_shared_key(own, generate_key_pairs()[1])
        folded = np.bitwise_xor.reduce(np.frombuffer(key, "<u4"))
        ever, always = ever | int(folded), always & int(folded)
    return (ever & ~always).bit_count()


def loss(shares: int, stage: str) -> str:
    grid = InProcessGrid(dict.fromkeys(NODES, UPDATE), {1: stage})
    try:
        mean = run_round(grid, shares, 0.66).mean
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if mean is None:
        return "halts without a result"
    return "the mean of the others" if np.allclose(mean, UPDATE, atol=1e-4) else "a wrong mean"


def asked_for_both() -> str:
    """Every client is told of client 1 that it stayed and that it was lost."""

    def lie(configs: ConfigRecord) -> None:
        if configs[Key.STAGE] == Stage.UNMASK:
            configs[Key.DEAD_NODE_ID_LIST] = [1]

    replies = run_lying(lie)[Stage.UNMASK]
    both = [
        r for r in replies if not r.has_error()
        and list(r.content.config_records[RECORD_KEY_CONFIGS][Key.NODE_ID_LIST]).count(1) == 2
    ]
    return f"{len(both)} of {len(NODES)} clients give both"


def told_threshold_of_one() -> str:
    def lie(configs: ConfigRecord) -> None:
        if configs[Key.STAGE] == Stage.SETUP:
            configs[Key.THRESHOLD] = 1

    replies = run_lying(lie)[Stage.COLLECT_MASKED_VECTORS]
    return f"{sum(not r.has_error() for r in replies)} of {len(NODES)} clients send their vector"


def run_lying(lie: Callable[[ConfigRecord], None]) -> dict[str, list[Message]]:
    grid = LyingGrid(lie)
    try:
        run_round(grid, 10, 0.66)
    except Exception:  # What the honest workflow makes of such replies is not the question.
        pass
    return grid.replies


class LyingGrid(InProcessGrid):
    """Changes what the server tells, and keeps what the clients reply."""

    def __init__(self, lie: Callable[[ConfigRecord], None]) -> None:
        super().__init__(dict.fromkeys(NODES, UPDATE), {})
        self.replies: dict[str, list[Message]] = {}
        self._lie = lie

    def send_and_receive(self, messages, *, timeout=None):
        messages = list(messages)
        configs = [message.content.config_records[RECORD_KEY_CONFIGS] for message in messages]
        for config in configs:
            self._lie(config)
        replies = super().send_and_receive(messages, timeout=timeout)
        self.replies[str(configs[0][Key.STAGE])] = replies
        return replies


if __name__ == "__main__":
    main()
