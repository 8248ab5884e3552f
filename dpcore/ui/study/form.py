"""What a new study asks: its grid, its target, and how long it will take."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from dpcore import datasets, limits, rounding
from dpcore.errors import BudgetExceededError, InvalidValueError
from dpcore.language import _
from dpcore.mechanisms import choices as choices_of_mechanisms
from dpcore.mechanisms.clipping import Clipping
from dpcore.mechanisms.noise import Noise
from dpcore.mechanisms.participation import Participation
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.studies import duration, mechanisms, outlook, ready_made, schedule
from dpcore.runs.studies.mechanisms import Mechanism
from dpcore.runs.studies.outlook import Outlook
from dpcore.runs.studies.study import NONE, OWN, WRITERS, Study
from dpcore.ui.accountant import ledger
from dpcore.ui.accountant import plan as plan_controls
from dpcore.ui.core import address, choices, columns, controls, once_more, states
from dpcore.ui.core.parameters import quoted
from dpcore.ui.data import look
from dpcore.ui.server import turns

_BASELINE = "baseline"


def ask(store: StoreAccess) -> None:
    """Shows what a new study asks, to be changed, and the button that runs all of it."""
    ready = choices.linked(
        st.radio,
        _("Ask"),
        ["", *ready_made.STUDIES],
        format_func=lambda name: _(ready_made.TITLES[name]) if name else _("Values of your own"),
        key="ready_made",
        horizontal=True,
        help=_("A study whose values are set, or one that you set yourself."),
    )
    if ready:
        _ask_ready(store, ready)
        return
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            grid = _grid()
            below = st.container()  # which baselines there are, the data set says
        with right:
            goal = _goal()
            dataset, model = look.choose_to_train(store)
            audited = st.toggle(
                _("Audit"),
                key=address.key("audit", False),
                help=_(
                    "Measures the mechanism of each run while it trains, by canaries, but for runs without noise."
                ),
            )
            controls.place("audit")
        with below:
            baseline = _baseline(store, dataset)
        with controls.explain():
            study = _study(store, grid, goal, dataset=dataset, model=model, baseline=baseline)
            if audited:
                study = replace(study, audit=int(limits.CANARIES.default))
        _estimate(store, study)
        _start(store, study)


def _ask_ready(store: StoreAccess, name: str) -> None:
    """Shows what a ready-made study trains, and the button that runs it."""
    with st.container(border=True), controls.explain():
        with turns.turn(turns.SOON):
            study = ready_made.STUDIES[name]()
        st.write(_(ready_made.ABOUT[name]))
        plans = [plan.privacy for plan in study.grid() if plan.training.seed == study.seeds[0]]
        st.dataframe(
            pd.DataFrame(
                {
                    columns.heading("mechanism"): mechanisms.label(plan),
                    columns.heading("noise"): rounding.noise(plan.noise_multiplier),
                    columns.heading("epsilon"): rounding.epsilon(accounting.epsilon(plan, Precision.PREVIEW).value),
                    columns.heading("path_noise"): rounding.down(plan.path_noise),
                }
                for plan in plans
            ),
            hide_index=True,
        )
        st.caption(
            " ".join(plan.cohorts.assumption(plan.fleet) for plan in {one.cohorts: one for one in plans}.values())
        )
        _estimate(store, study)
        _start(store, study)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """What the sweep varies, as it was typed."""

    noises: str
    clients: str
    rounds: str
    rates: str
    seeds: int | None
    clipping: Clipping
    participations: list[str]
    noise_kinds: list[str]


def _grid() -> _Grid:
    several = _("One number, or several separated by commas for a grid.")
    return _Grid(
        noises=_list(
            _("Noise multipliers of the sweep"),
            "0, 0.5, 0.75, 1",
            "noises",
            _("Separated by commas; 0 is the non-private baseline, with which the others are compared."),
        ),
        clients=_list(_("Clients per round"), "50", "cohorts", several),
        rounds=_list(_("Rounds"), "100", "lengths", several),
        rates=_list(_("Client learning rates"), "0.01", "rates", several),
        seeds=controls.count(
            _("Seeds per setting"),
            low=int(limits.SEEDS.minimum),
            high=int(limits.SEEDS.maximum),
            default=int(limits.SEEDS.default),
            key=address.key("seeds", float(limits.SEEDS.default)),
            help=_(limits.SEEDS.help),
        ),
        clipping=plan_controls.clipping_control(),
        participations=_several(
            _("How cohorts are formed"),
            choices_of_mechanisms.PARTICIPATION_BY_KIND,
            "participations",
            _("None is Poisson sampling. Several are compared, each with each kind of noise that goes with it."),
        ),
        noise_kinds=_several(
            _("Kinds of noise"),
            choices_of_mechanisms.NOISE_BY_KIND,
            "noise_kinds",
            _("None is independent noise. Correlated noise goes with a known schedule and fixed clipping."),
        ),
    )


def _several(label: str, kinds: Mapping[str, type[Participation] | type[Noise]], key: str, tip: str) -> list[str]:
    return choices.linked(
        st.pills,
        label,
        list(kinds),
        key=key,
        selection_mode="multi",
        format_func=lambda kind: _(kinds[kind].title),
        help=tip,
    )


@dataclass(frozen=True, kw_only=True)
class _Goal:
    """What the study has to reach."""

    final: bool
    target_epsilon: float
    delta: float
    tolerance: float
    accountant: str


def _goal() -> _Goal:
    return _Goal(
        final=st.toggle(
            _("Solve for the clients, and train the final run"),
            True,
            key=address.key("final", True),
            help=_("Otherwise the study ends with the sweep, which may then vary any value."),
        ),
        target_epsilon=controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True),
        delta=controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True),
        tolerance=controls.knob(limits.TOLERANCE, low=0.01, high=0.3),
        accountant=plan_controls.accountant_control(
            accounting.ACCOUNTANTS[::-1],
            _("Accountant of the final run"),
            _("The accountant whose epsilon sets the number of clients. RDP needs more clients than PLD."),
        ),
    )


def _study(store: StoreAccess, grid: _Grid, goal: _Goal, *, dataset: str, model: str, baseline: str) -> Study:
    """Returns what was asked; raises as studies and plans do where that cannot be."""
    noises = _numbers(_("Noise multipliers"), grid.noises, float)
    private = functools.partial(
        PrivacyPlan, noise_multiplier=0.0, clients_per_round=1, delta=goal.delta, clipping=grid.clipping
    )
    plan = datasets.plan_on(dataset, store.home, private, model=model)
    clients = _numbers(_("Clients per round"), grid.clients, _whole)
    rounds = _numbers(_("Rounds"), grid.rounds, _whole)
    privacy, compared = _mechanisms(grid, plan.privacy, clients[0], rounds[0])
    return Study(
        plan=replace(plan, privacy=privacy),
        noise_multipliers=tuple(noise for noise in noises if noise or baseline != NONE),
        clients_per_round=clients,
        rounds=rounds,
        client_learning_rates=_numbers(_("Client learning rates"), grid.rates, float),
        clippings=(grid.clipping,),
        mechanisms=compared,
        seeds=tuple(range(grid.seeds or 0)),
        tolerance=goal.tolerance,
        target_epsilon=goal.target_epsilon if goal.final else None,
        accountant=goal.accountant,
        baseline=baseline,
    )


def _mechanisms(
    grid: _Grid, plan: PrivacyPlan, clients: int, rounds: int
) -> tuple[PrivacyPlan, tuple[Mechanism, ...]]:
    """Returns the plan and the mechanisms of a study, by what was chosen; the plan as it is where nothing was."""
    if not grid.participations and not grid.noise_kinds:
        return plan, ()
    first = replace(plan, clients_per_round=clients, rounds=rounds)
    found, refused = mechanisms.combined(
        grid.participations or ["poisson"], grid.noise_kinds or ["independent"], first.fleet
    )
    for one in refused:
        st.caption(_("Left out: {reason}").format(reason=one))
    return mechanisms.placed(first, found)


def _estimate(store: StoreAccess, study: Study) -> None:
    """Says how many runs there are, and how long they take."""
    plans = study.grid()
    seconds, measured = duration.expected_seconds(store, plans, study.engine)
    runs = _("{runs} runs and the final one") if study.target_epsilon is not None else _("{runs} runs")
    source = _("measured on this machine") if measured else _("estimated from the benchmarks")
    st.caption(
        _("{what}: about {minutes:.1f} minutes for the sweep, {source}. Existing runs are reused.").format(
            what=runs.format(runs=len(plans)), minutes=max(0.1, seconds / 60), source=source
        )
    )


def _start(store: StoreAccess, study: Study) -> None:
    """Says what the study leaves in the ledger, beside the button that runs all of it."""
    with turns.turn(turns.SOON):
        found = outlook.study_outlooks(store, study)
    left, right = st.columns([2, 3], gap="large", vertical_alignment="bottom")
    for one in found:
        ledger.metric(one.after, _("Epsilon of all runs on {data}, including this study"), left)
    with right:
        for one in found:
            st.write(outlook.sentence(one))
        refused = _refused(store, found)
        charges = [plan for one in found for plan in one.plans]
        more = _("Or choose another non-private baseline above, or none.") if 0.0 in study.noise_multipliers else ""
        with once_more.asking(store, _("Run all"), charges, primary=True, disabled=refused, more=more) as label:
            tip = _("Queues the sweep; the final run is queued when the sweep has finished.")
            if st.button(label, type="primary", key="run_all", disabled=refused, help=tip):
                with controls.explain():
                    address.put("study", schedule.start(store, study))
                st.rerun()


def _baseline(store: StoreAccess, dataset: str) -> str:
    """Shows which baseline the runs with noise are compared with: one that leaves no guarantee, or another."""
    words = {OWN: _("on this data set"), WRITERS: _("on the Writers"), NONE: _("none")}
    if not datasets.like_writers(dataset, store.home):
        del words[WRITERS]
        if st.session_state.get(_BASELINE) == WRITERS:  # chosen for other data
            address.put(_BASELINE, None)
    return choices.linked(
        st.radio,
        _("Non-private baseline"),
        list(words),
        format_func=words.__getitem__,
        key=_BASELINE,
        horizontal=True,
        help=_(
            "The run without noise leaves its users no guarantee. Where the data are like theirs, it can be trained "
            "on the Writers instead. With none, the others are compared with the least noise."
        ),
    )


def _refused(store: StoreAccess, found: list[Outlook]) -> bool:
    """Says where a budget has no room for the sweep; returns whether any has none."""
    refused = False
    for one in found:
        try:
            if one.plans:
                budget.check(store, *one.plans)
        except BudgetExceededError as err:
            refused = True
            st.error(str(err), icon=":material/block:")
            states.link("ledger", dataset=one.dataset)
    return refused


def _list(label: str, default: str, key: str, tip: str) -> str:
    return st.text_input(label, default, limits.MOST_GRID_TEXT, key=address.key(key, default), help=tip)


def _whole(text: str) -> int:
    """Returns a whole number, written as any other: 2e3 as well."""
    number = float(text)
    if not number.is_integer():
        raise ValueError
    return int(number)


def _numbers(label: str, text: str, kind: Callable[[str], float]) -> tuple:
    try:
        found = tuple(kind(part) for part in re.split("[,;、，]", text) if part.strip())
    except ValueError as err:
        message = (
            _("Expected {label} to be whole numbers with commas between, found {text}.")
            if kind is _whole
            else _("Expected {label} to be numbers with commas between, found {text}.")
        )
        raise InvalidValueError(label, message.format(label=label, text=quoted(text))) from err
    if not found:
        raise InvalidValueError(
            label, _("Expected at least one number for {label}, found none.").format(label=label)
        )
    return tuple(dict.fromkeys(found))
