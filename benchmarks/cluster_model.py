"""A model of the time of a round on a cluster, fitted to what `benchmarks.cluster` measures and held against the rest."""

import statistics

import numpy as np
from scipy.optimize import nnls


def terms(row: dict) -> list[float]:
    """What the model of a round's time multiplies: beside the computing, which is measured at the workers.

    A sum travels while the next batch is computed. What shows of the line is each worker's first batch on its way there,
    the last on its way back, and what takes longer than all computing but the first batch's.
    """
    there, back = row["batches"] * row["model_bytes"], row["shards"] * row["model_bytes"]
    line, out = (
        (size / row["bytes_per_second"] if row["bytes_per_second"] else 0.0)
        for size in (back, row["workers"] * row["model_bytes"])
    )
    in_turn = max(1.0, row["batches"] / row["workers"])
    hidden = row["computing_seconds"] * (1 - 1 / in_turn)
    shown = out + max(line - hidden, line / in_turn)
    return [1.0, row["batches"], (there + back) / 1e9, shown, 2 * row["delay_seconds"]]


NAMES = (
    "seconds a round",
    "seconds a batch",
    "seconds a gigabyte, in processes",
    "times what shows of the line",
    "ways there and back",
)


def fitted(rows: list[dict]) -> np.ndarray:
    """Returns what the model's terms cost, none less than nothing, by least squares relative to what they explain."""
    wanted = np.array([row["seconds"] - row["computing_seconds"] for row in rows])
    return nnls(np.array([terms(row) for row in rows]) / wanted[:, None], np.ones(len(rows)))[0]


def predicted(costs: np.ndarray, row: dict) -> float:
    return row["computing_seconds"] + float(np.dot(costs, terms(row)))


def ahead(costs: np.ndarray, rows: list[dict]) -> list[dict]:
    """Returns what the model says of more workers, at 1,000 and 20,000 clients a round of a million users."""
    mlp = [row for row in rows if row["model"] == "mlp" and row["workers"] == 1 and not row["delay_seconds"]]
    a_client = statistics.median(row["computing_seconds"] / row["clients"] for row in mlp)
    said = []
    for clients in (120, 1000, 20000):
        for workers in (1, 2, 4, 8, 16, 32, 64):
            shards = min(64, -(-clients // 8))
            batches = -(-shards // max(1, min(4, -(-shards // workers))))
            row = {
                "clients": clients, "workers": workers, "shards": shards, "batches": batches,
                "model_bytes": mlp[0]["model_bytes"], "delay_seconds": 0.25e-3, "bytes_per_second": 125e6,
                "computing_seconds": a_client * clients * -(-shards // workers) / shards,
            }  # fmt: skip
            said.append(row | {"seconds": predicted(costs, row)})
    return said


def report(rows: list[dict]) -> dict:
    """Returns the fit, how far it is from rounds that it was not fitted to, and what it says of larger clusters."""
    learned, held = rows[::2], rows[1::2]
    costs = fitted(learned)
    errors = [abs(predicted(costs, row) / row["seconds"] - 1) for row in held]
    # The computing is measured: a fit that only repeats it would look good on a large cohort.
    beside = [abs(np.dot(costs, terms(row)) / (row["seconds"] - row["computing_seconds"]) - 1) for row in held]
    return {
        "costs": dict(zip(NAMES, costs.tolist(), strict=True)),
        "median_error": statistics.median(errors),
        "largest_error": max(errors),
        "median_error_beside_computing": statistics.median(beside),
        "largest_error_beside_computing": max(beside),
        "ahead": ahead(costs, rows),
    }
