"""What runs beside each other are called: by what differs between them, as a legend has room for it."""

from collections.abc import Sequence

from dpcore import rounding
from dpcore.language import _
from dpcore.plan import Plan
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import mechanisms


def of_settings(plans: Sequence[Plan]) -> list[str]:
    """Returns what the setting of each plan is called, all but its seed: by what differs, else by its noise."""
    parts = [_parts(plan) for plan in plans]
    differing = [name for name in parts[0] if len({one[name] for one in parts}) > 1]
    return [", ".join(one[name] for name in differing or ["noise"]) for one in parts]


def of_runs(runs: Sequence[Run]) -> list[str]:
    """Returns a name for each run, no two alike: the one that a person gave it, or what differs ("seed 3").

    Of runs that differ in nothing, the last part of their ids.
    """
    settings = of_settings([run.plan for run in runs])
    seeds = [_seed(run.plan) for run in runs]
    alike, names = len(set(settings)) == 1, []
    for run, setting, seed in zip(runs, settings, seeds, strict=True):
        parts = [] if alike and len(set(seeds)) > 1 else [setting]
        if len(set(seeds)) > 1:
            parts.append(seed)
        names.append(run.name or ", ".join(parts))
    return [
        f"{name} ({run.run_id[-4:]})" if names.count(name) > 1 else name
        for run, name in zip(runs, names, strict=True)
    ]


def _seed(plan: Plan) -> str:
    if plan.training.seed is None:
        return _("no seed")
    return _("seed {seed}").format(seed=plan.training.seed)


def _parts(plan: Plan) -> dict[str, str]:
    """Returns all that a setting is told by, in a few words each."""
    privacy, training = plan.privacy, plan.training
    return {
        "noise": _("noise {noise}").format(noise=rounding.noise(privacy.noise_multiplier)),
        "clients": _("{clients} clients").format(clients=privacy.clients_per_round),
        "rounds": _("{rounds} rounds").format(rounds=privacy.rounds),
        "mechanism": mechanisms.label(privacy),
        "clipping": privacy.clipping.details,
        "zeroing": _("zeroing") if privacy.zeroing else _("no zeroing"),
        "adjacency": privacy.adjacency,
        "delta": _("delta {delta}").format(delta=rounding.given(privacy.delta)),
        "data": training.dataset,
        "model": training.model,
        "client rate": _("learning rate {rate}").format(rate=rounding.given(training.client_learning_rate)),
        "server rate": _("server learning rate {rate}").format(rate=rounding.given(training.server_learning_rate)),
        "momentum": _("momentum {rate}").format(rate=rounding.given(training.server_momentum)),
        "epochs": _("{rate} local epochs").format(rate=training.local_epochs),
        "batch": _("batch size {size}").format(size=training.batch_size),
    }
