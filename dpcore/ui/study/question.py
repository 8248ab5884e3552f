"""What a study asks, as it stands beside what came of it; and the way to ask it once more with other values."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dpcore import rounding
from dpcore.language import _
from dpcore.mechanisms.noise import Independent
from dpcore.mechanisms.participation import Poisson
from dpcore.runs.studies.study import Study
from dpcore.ui.core import address, columns, markdown


def show(study: Study) -> None:
    """Shows the grid of a study and its target, and the way to a new one that begins with these values."""
    training = study.plan.training
    rows = {
        "data": markdown.plain(training.dataset),
        "model": training.model,
        "noise": _listed(_noises(study)),
        "clients": _listed(study.clients_per_round),
        "rounds": _listed(study.rounds),
        "learning rate": _listed(study.client_learning_rates),
        "server learning rate": _listed(study.server_learning_rates or [training.server_learning_rate]),
        "server momentum": _listed(study.server_momenta or [training.server_momentum]),
        "local epochs": _listed(study.local_epochs or [training.local_epochs]),
        "clipping": _listed(clipping.label for clipping in study.clippings),
        "seeds": str(len(study.seeds)),
    }
    if study.target_epsilon is not None:
        rows["epsilon"] = rounding.given(study.target_epsilon)
    named = [(columns.heading(name), words) for name, words in rows.items()]
    st.markdown(markdown.table((_("Asked"), _("Values")), "ll", named))
    if any(one.noise_multipliers for one in study.mechanisms):
        return  # each has a noise of its own, which no form asks
    st.page_link(
        "pages/study.py",
        label=_("A new study with these values, to be changed"),
        icon=":material/edit:",
        query_params=address.anew(**link(study)),
    )


def link(study: Study) -> dict[str, Any]:
    """Returns the controls of a new study that asks the same, by their names in an address, where they say anything."""
    training, private, clipping = study.plan.training, study.plan.privacy, study.clippings[0]
    norms = [one.initial_clip_norm for one in study.clippings]
    # Poisson sampling and independent noise go without saying, where nothing else is compared with them.
    usual = not study.mechanisms and private.participation == Poisson() and private.noise == Independent()
    found = {
        "noises": _listed(_noises(study)),
        "cohorts": _listed(study.clients_per_round),
        "lengths": _listed(study.rounds),
        "rates": _listed(study.client_learning_rates),
        "server_rates": _listed(study.server_learning_rates or [training.server_learning_rate]),
        "momenta": _listed(study.server_momenta or [training.server_momentum]),
        "epochs": _listed(study.local_epochs or [training.local_epochs]),
        "batch_size": training.batch_size,
        "clipping": clipping.kind,
        **{knob.name: getattr(clipping, name) for name, knob in clipping.settings.items()},
        "clip_norms": _listed(norms) if len(norms) > 1 else "",
        "participations": _kinds([one.participation for one in study.mechanisms] or [private.participation])
        * (not usual),
        "noise_kinds": _kinds([one.noise for one in study.mechanisms] or [private.noise]) * (not usual),
        "seeds": len(study.seeds),
        "delta": private.delta,
        "tolerance": study.tolerance,
        "target_epsilon": study.target_epsilon or "",
        "final": study.target_epsilon is not None,
        "accountant": study.accountant,
        "baseline": study.baseline,
        "audit": study.audit is not None,
        "dataset": training.dataset,
        "model": training.model,
    }
    return {name: value for name, value in found.items() if value != ""}


def _noises(study: Study) -> Iterable[float]:
    own = [noise for one in study.mechanisms for noise in one.noise_multipliers]
    return dict.fromkeys(own or study.noise_multipliers)


def _listed(values: Iterable[float | str]) -> str:
    return ", ".join(value if isinstance(value, str) else rounding.given(value) for value in dict.fromkeys(values))


def _kinds(parts: Iterable[Any]) -> str:
    return ",".join(dict.fromkeys(part.kind for part in parts))
