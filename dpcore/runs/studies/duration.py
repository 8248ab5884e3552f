"""How long plans will take to train, from what earlier runs took here."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import nnls

from dpcore.plan import Plan
from dpcore.runs.access.protocol import StoreAccess

_ENOUGH = 5  # rounds that say how long a round takes
# Seconds a round and a client more, on two cores with the tutorial's model: benchmarks/README.md.
_ASSUMED = {"vectorized": (0.06, 0.0007), "tff": (0.1, 0.0023)}


def expected_seconds(store: StoreAccess, plans: Iterable[Plan], engine: str) -> tuple[float, bool]:
    """Returns how long plans will take, and whether that was measured here, on the same data, model and engine.

    A round costs a fixed part and one for each client's epoch; both are fitted to the rounds of earlier runs.
    """
    known: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for run in [*store.runs(), *store.runs(deleted=True)]:
        if run.last_round and run.last_round >= _ENOUGH and run.engine == engine:
            pace = (_passes(run.plan), run.seconds / run.last_round)
            known.setdefault((run.plan.training.dataset, run.plan.training.model), []).append(pace)
    fitted = {what: _fit(paces) for what, paces in known.items()}
    total, measured = 0.0, True
    for plan in plans:
        what = (plan.training.dataset, plan.training.model)
        fixed, per_client = fitted.get(what, _ASSUMED[engine])
        measured = measured and what in fitted
        total += plan.privacy.rounds * (fixed + per_client * _passes(plan))
    return total, measured


def _passes(plan: Plan) -> int:
    """Returns how often somebody's examples are gone through in a round."""
    return plan.privacy.clients_per_round * plan.training.local_epochs


def _fit(known: list[tuple[int, float]]) -> tuple[float, float]:
    """Seconds a round, and a client's epoch more; both at least 0."""
    clients, spent = np.array(known, float).T
    if len(set(clients)) == 1:
        return 0.0, float(np.median(spent) / clients[0])
    (fixed, per_client), _residual = nnls(np.stack([np.ones_like(clients), clients], axis=1), spent)
    return float(fixed), float(per_client)
