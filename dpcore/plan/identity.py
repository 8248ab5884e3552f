"""What a plan is called: by its content alone, so that its name outlasts the formats that it is written in.

The name is that of a run's random streams, so whoever changes it changes every cohort of every seeded run. What a plan
may say is therefore written down here once more, with the value that needs no saying. A new field of a plan gets a line
in `UNSAID`, with the value under which it trains as before: so all plans of before keep their names. Nothing in `UNSAID`
is ever changed, also where a default of the product is.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

UNSAID: Mapping[str, Any] = {
    "privacy": {
        "population": 3383,
        "clients_per_round": 120,
        "rounds": 100,
        "noise_multiplier": 1.2,
        "delta": 1e-5,
        "clipping": {
            "kind": "adaptive",
            "initial_clip_norm": 0.1,
            "target_unclipped_quantile": 0.5,
            "learning_rate": 0.2,
            "clipped_count_stddev_per_client": 0.05,
            "clip_norm": 0.1,
        },
        "zeroing": False,
        "adjacency": "add-or-remove-one",
        "participation": {"kind": "poisson", "max_participations": None, "min_separation": None},
        "noise": {"kind": "independent", "bands": None},
    },
    "training": {
        "dataset": "writers",
        "dataset_fingerprint": None,
        "model": "mlp",
        "client_learning_rate": 0.01,
        "server_learning_rate": 1.0,
        "server_momentum": 0.9,
        "batch_size": 32,
        "local_epochs": 1,
        "seed": 0,
    },
}


def canonical(values: Mapping[str, Any]) -> str:
    """Returns a plan's content as JSON: sorted keys, variants by their kind, nothing that goes without saying.

    Args:
        values: The plan's fields, by name, as deep as `UNSAID`.

    >>> canonical({"privacy": {"rounds": 20, "delta": 1e-5}, "training": {"seed": 0}})
    '{"privacy": {"rounds": 20}}'
    """
    return json.dumps(_said(values, UNSAID), sort_keys=True)


def fingerprint(text: str) -> str:
    """Returns 16 hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_run(plan: str, canaries: int | None) -> str:
    """Returns the name of a run's streams: its plan's fingerprint, and another one where the run is audited.

    An audited run must share neither noise nor cohorts with a run of the same plan and seed that is not, or has other
    canaries. Their models differ from the first round on, so with the same noise the difference of what two such runs
    release in any later round would be that of two sums of users' updates, bare of noise. The plan itself is the same,
    and keeps its name.

    >>> of_run("a6c11c55b826d487", None), of_run("a6c11c55b826d487", 1000)
    ('a6c11c55b826d487', 'a423ea5ab5190e9d')
    """
    if canaries is None:
        return plan
    return fingerprint(
        json.dumps({"audit": {"kind": "canaries", "canaries": canaries}, "plan": plan}, sort_keys=True)
    )


def of_format_2(text: str) -> str:
    """Returns the name of a stored plan from when names were of the text: that of format 2, whichever it was written in.

    >>> of_format_2('{"privacy": {}, "training": {}, "version": 1}')
    'a6c11c55b826d487'
    """
    values = json.loads(text) | {"version": 2}
    values["privacy"].setdefault("adjacency", "add-or-remove-one")
    values["training"].setdefault("dataset_fingerprint", None)
    return fingerprint(json.dumps(values, sort_keys=True))


def _said(values: Mapping[str, Any], unsaid: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            value = _said(value, unsaid[name])
            if value:
                found[name] = value
        elif value != unsaid[name]:
            found[name] = value
    return found
