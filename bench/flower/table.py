"""Prints, as Markdown, what `compare.sh` measured: `table.py <folder>`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

MARK = "figures:"
GRAPHS = {
    "sparse graph": (
        21,
        "semi-honest, 20 neighbours, threshold 14",
        "active, 25 neighbours chosen",
    ),
    "complete graph": (
        100,
        "semi-honest, complete graph, threshold 66",
        "active, complete graph",
    ),
}
"""Flower's `num_shares`, and the names of the cases of `bench/cases/secagg.ts`."""

Row = dict[str, list[float]]
"""By the title of a row, its figure in each repetition."""


def main() -> None:
    folder = Path(sys.argv[1])
    flower = [json.loads(path.read_text()) for path in sorted(folder.glob("flower-*.json"))]
    fedloom = [figures(path.read_text()) for path in sorted(folder.glob("fedloom-*.txt"))]
    print(", ".join(f"{name} {version}" for name, version in flower[0]["versions"].items()))
    for graph, (shares, *cases) in GRAPHS.items():
        columns = [flower_rows([run for run in flower if has(run, shares)])]
        columns += [fedloom_rows(fedloom, case) for case in cases]
        print(f"\n| {graph} | Flower | Fedloom semi-honest | Fedloom active |")
        print("| --- | --- | --- | --- |")
        for title in columns[0]:
            print(f"| {title} | " + " | ".join(cell(column[title]) for column in columns) + " |")


def figures(output: str) -> dict[str, float]:
    (line,) = (line for line in output.splitlines() if line.startswith(MARK))
    return {figure["case"]: figure["value"] for figure in json.loads(line[len(MARK) :])}


def has(run: dict, shares: int) -> bool:
    return any(measured["shares"] == shares for measured in run["rounds"])


def flower_rows(runs: list[dict]) -> Row:
    rounds = [measured for run in runs for measured in run["rounds"]]

    def unmasking(lost: int) -> list[float]:
        return [m["server"]["unmask"] for m in rounds if m["lost"] == lost]

    return rows(
        sharing=[m["client"]["share_keys"] for m in rounds],
        masking=[m["client"]["collect_masked_vectors"] for m in rounds],
        quantising=[run["quantize"] for run in runs],
        others=[m["client"]["setup"] + m["client"]["unmask"] for m in rounds],
        unmasking=unmasking(0),
        unmasking_lost=unmasking(10),
        size=[m["bytesPerValue"] for m in rounds],
    )


def fedloom_rows(runs: list[dict[str, float]], case: str) -> Row:
    """Quantising comes before the step of a client here, and dequantising after the server's."""

    def each(title: str, beside: str | None = None) -> list[float]:
        return [run[f"{case}: {title}"] + (run[beside] if beside else 0) for run in runs]

    quantising, dequantising = "client quantises, weighed", "server dequantises"
    return rows(
        sharing=each("client shares keys"),
        masking=each("client masks", quantising),
        quantising=[run[quantising] for run in runs],
        others=each("client, all other steps"),
        unmasking=each("server unmasks, 0 lost", dequantising),
        unmasking_lost=each("server unmasks, 10 lost", dequantising),
        size=each("bytes a value"),
    )


def rows(
    *,
    sharing: list[float],
    masking: list[float],
    quantising: list[float],
    others: list[float],
    unmasking: list[float],
    unmasking_lost: list[float],
    size: list[float],
) -> Row:
    return {
        "a client shares keys, ms": sharing,
        "a client quantises and masks, ms": masking,
        "of that, quantising, ms": quantising,
        "all other steps of a client, ms": others,
        "the server unmasks and dequantises, ms": unmasking,
        "the same, 10 % lost, ms": unmasking_lost,
        "bytes a value, all uploads of a client": size,
    }


def cell(values: list[float]) -> str:
    """The median, and where the repetitions differ, the least and the largest."""
    middle, least, largest = (significant(f(values)) for f in (median, min, max))
    return middle if least == largest else f"{middle} ({least} … {largest})"


def significant(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
