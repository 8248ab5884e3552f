"""What Train asks: the numbers that are changed all the time, and all else in folds."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import datasets, limits, rounding
from dpcore.language import _
from dpcore.mechanisms.clipping import Clipping
from dpcore.mechanisms.participation import Fleet
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting, statement
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.ui.accountant import cohorts, ledger
from dpcore.ui.accountant import plan as plan_controls
from dpcore.ui.core import actions, address, bench, controls, once_more
from dpcore.ui.core.bench import Bench
from dpcore.ui.data import look
from dpcore.ui.server import turns

# Knobs of the method that the guarantee does not depend on, with their sliders.
_METHOD: dict[limits.Knob, dict[str, Any]] = {
    limits.CLIENT_LEARNING_RATE: {"low": 0.001, "high": 1, "logarithmic": True},
    limits.LOCAL_EPOCHS: {"low": 1, "high": 5},
    limits.BATCH_SIZE: {"low": 1, "high": 512, "logarithmic": True},
    limits.SERVER_LEARNING_RATE: {"low": 0.01, "high": 10, "logarithmic": True},
    limits.SERVER_MOMENTUM: {"low": 0.0, "high": 0.99},
}
_MECHANISM = (
    *("participation", "noise", "min_separation", "max_participations", "bands"),
    *("delta", "adjacency", "zeroing"),
)
_MORE = (*(knob.name for knob in _METHOD), "clipping", *(knob.name for knob in plan_controls.CLIP_KNOBS))
_RUN = ("seed", "unseeded", "eval_every", "stop_when_diverging", "audit", "canaries")


@dataclass(frozen=True, kw_only=True)
class _Run:
    """How a plan is run, which no guarantee depends on."""

    seed: int | None
    eval_every: int
    stop_when_diverging: bool
    canaries: int | None


def ask(store: StoreAccess, place: Bench, *, engine: str) -> None:
    """Shows what is asked, what it guarantees, and the button that trains it; raises as plans do.

    Args:
        store: Where runs are kept.
        place: Where all of it goes.
        engine: What trains.
    """
    with place.ask:
        dataset, model = look.choose_to_train(store)
        noise = controls.knob(limits.NOISE_MULTIPLIER, low=0.0, high=5.0)
        clients_place = st.container()
        rounds = controls.knob(limits.ROUNDS, low=1, high=1000, logarithmic=True)
        answer, button = st.empty(), st.container()
    with place.more:
        guarantee = st.empty()
        with bench.fold(_("Mechanism"), "fold_mechanism", _MECHANISM):
            private, forming = _mechanism(noise, clients_place, rounds)
            offer = st.container()
        with bench.fold(_("More"), "fold_more", _MORE):
            local = {knob.name: controls.knob(knob, **slider) for knob, slider in _METHOD.items()}
            clipping = plan_controls.clipping_control(plan_controls.CLIP_KNOBS)
        with offer:
            cohorts.offer_fixed_clipping(forming, clipping)
        with bench.fold(_("Run"), "fold_run", _RUN):
            run = _run()
    plan = datasets.plan_on(
        dataset, store.home, functools.partial(private, clipping), model=model, seed=run.seed, **local
    )
    limits.EVAL_EVERY.check(run.eval_every)
    for precision, line in turns.PRECISIONS:
        with turns.turn(line):
            epsilon = accounting.epsilon(plan.privacy, precision).value
            with answer.container():
                st.metric(_("Epsilon of the plan"), rounding.epsilon(epsilon), border=True)
                for warning in plan.privacy.warnings:
                    st.warning(warning, icon=":material/warning:")
            with guarantee.container():
                st.write(
                    f"{statement.sentence(plan.privacy, epsilon)} {statement.seed_warning(plan.training.seed)}"
                )
                allowed = ledger.after(store, plan, precision)
    canaries = run.canaries
    if canaries is not None:
        canaries = supervisor.check_audit(store, plan, canaries, engine)
    with button:
        _train(store, plan, replace(run, canaries=canaries), engine=engine, allowed=allowed)


def _train(store: StoreAccess, plan: Plan, run: _Run, *, engine: str, allowed: bool) -> None:
    tip = _("Queues the plan as a new run.")
    with once_more.asking(store, _("Train"), [plan], primary=True, disabled=not allowed) as label:
        pressed = st.button(label, type="primary", key="train", disabled=not allowed, help=tip, width="stretch")
    if pressed:
        run_id = supervisor.start(
            store,
            plan,
            engine=engine,
            eval_every=run.eval_every,
            stop_when_diverging=run.stop_when_diverging,
            audit=run.canaries,
        )
        ledger.begun(plan, run_id)
        actions.select(run_id)


def _mechanism(
    noise: float, clients_place: DeltaGenerator, rounds: int
) -> tuple[Callable[..., PrivacyPlan], cohorts.Forming]:
    """Shows what else the guarantee depends on; returns what makes it of a way to clip and a `population`."""
    forming = cohorts.ask()
    clients = None
    if not forming.is_full:
        with clients_place:
            clients = controls.knob(limits.CLIENTS_PER_ROUND, low=1, high=3000, logarithmic=True)
    delta = controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True)
    adjacency = cohorts.adjacency(forming)
    zeroing = st.toggle(
        _("Adaptive zeroing (TFF's default; not covered by the guarantee)"),
        key=address.key("zeroing", False),
        help=_(
            "Sets outlying updates to zero. Its threshold is estimated without noise, so the guarantee does not "
            "cover it."
        ),
    )

    def private(clipping: Clipping, population: int) -> PrivacyPlan:
        fleet = Fleet(population, population if clients is None else clients, rounds)
        participation, added = forming.parts(fleet)
        return PrivacyPlan(
            **fleet._asdict(),
            noise_multiplier=noise,
            delta=delta,
            clipping=clipping,
            zeroing=zeroing,
            adjacency=adjacency,
            participation=participation,
            noise=added,
        )

    return private, forming


def _run() -> _Run:
    """Shows what no guarantee depends on, but whether randomness can be predicted."""
    seed = controls.knob(limits.SEED, low=0, high=20)
    unseeded = st.toggle(
        _("Unseeded randomness (required for release)"),
        key=address.key("unseeded", False),
        help=_("Cohorts and noise then come from the operating system, and nobody can compute them again."),
    )
    eval_every = controls.knob(limits.EVAL_EVERY, low=1, high=50)
    early = st.toggle(
        _("Stop when the loss diverges"),
        key=address.key("stop_when_diverging", False),
        help=_("The guarantee, and the charge, stay those of all planned rounds."),
    )
    audited = st.toggle(
        _("Audit"),
        key=address.key("audit", False),
        help=_(
            "Measures the mechanism while it trains. Updates that are nobody's, the canaries, go through the same "
            "clipping, sampling and noise as those of users, and what is released along their directions shows how "
            "much of each there was. The guarantee, and the charge, stay those of the plan."
        ),
    )
    controls.place("audit")
    canaries = controls.knob(limits.CANARIES, low=16, high=2048, logarithmic=True) if audited else None
    return _Run(
        seed=None if unseeded else seed, eval_every=eval_every, stop_when_diverging=early, canaries=canaries
    )
