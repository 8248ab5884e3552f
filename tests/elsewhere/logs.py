"""Round logs for tests: the run of docs/PEERS.md, 50 rounds of 100 of 1,000 at noise 1, with what is to be different."""

import copy

from dpcore.elsewhere import log

_RUN = {
    "version": 1,
    "framework": {"name": "other", "version": "1.0"},
    "unit": "user",
    "delta": 1e-5,
    "population": {"size": 1000},
    "sampling": {"kind": "fixed-size", "cohort": 100},
    "clipping": {"kind": "fixed", "norm": 1.0, "covers": "update", "where": "server"},
    "noise": {
        "kind": "gaussian",
        "multiplier": 1.0,
        "of": "sum",
        "where": "server",
        "optimizer_inside": "none",
        "seed": "none",
    },
    "average": {"kind": "mean", "weights": "equal", "divisor": "fixed", "configured": 100},
    "rounds": [{"repeat": 50, "sampled": 100, "online": 1000, "replied": 100, "released": True}],
}


def values(**parts):
    """The values of that run; a part is laid over its own, or stands in its place where it is none."""
    made = copy.deepcopy(_RUN)
    for name, part in parts.items():
        made[name] = made[name] | part if isinstance(part, dict) and isinstance(made.get(name), dict) else part
    return made


def run(**parts):
    return log.from_values(values(**parts))
