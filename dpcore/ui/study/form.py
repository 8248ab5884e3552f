"""What a new study asks: its grid, its target, and how long it will take."""

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import datasets, rounding
from dpcore.errors import BudgetExceededError
from dpcore.language import _
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.studies import duration, mechanisms, outlook, ready_made, schedule
from dpcore.runs.studies.outlook import Outlook
from dpcore.runs.studies.study import NONE, OWN, WRITERS, Study
from dpcore.ui.accountant import ledger
from dpcore.ui.accountant import plan as plan_controls
from dpcore.ui.core import address, bench, choices, columns, controls, once_more, states
from dpcore.ui.core.bench import Bench
from dpcore.ui.data import look
from dpcore.ui.server import turns
from dpcore.ui.study import values

_BASELINE = "baseline"


_MORE = (
    *("rates", "server_rates", "momenta", "epochs", "batch_size"),
    *("clipping", *(knob.name for knob in plan_controls.CLIP_KNOBS), "clip_norms"),
)
_MECHANISM = ("participations", "noise_kinds", "delta")
_GOAL = ("final", "target_epsilon", "tolerance", "accountant", "audit")


def ask(store: StoreAccess, place: Bench) -> None:
    """Shows what a new study asks, to be changed, and the button that runs all of it."""
    with place.ask:
        ready = _ready()
        if ready:
            _ask_ready(store, ready, place)
            return
        dataset, model = look.choose_to_train(store)
        grid = values.grid()
        baseline = _baseline(store, dataset)
        button = st.container()
    with place.more:
        with bench.fold(_("Target"), "fold_target", _GOAL):
            goal = values.goal()
        with bench.fold(_("More"), "fold_more", _MORE):
            method = values.method()
        with bench.fold(_("Mechanism"), "fold_mechanism", _MECHANISM):
            compared = values.compared()
    with controls.explain():
        study = values.study(store, (grid, method, compared, goal), dataset=dataset, model=model, baseline=baseline)
    with place.live:
        st.info(
            _("Press **Run all**: the curves of all settings grow here, round by round."), icon=":material/science:"
        )
    _start(store, study, place.live, button)


def _ready() -> str:
    """Shows which study is asked: the name of one whose values are set, or nothing."""
    chosen: str = choices.linked(
        st.radio,
        _("Ask"),
        ["", *ready_made.STUDIES],
        format_func=lambda name: _(ready_made.TITLES[name]) if name else _("Values of your own"),
        key="ready_made",
        horizontal=True,
        help=_("A study whose values are set, or one that you set yourself."),
    )
    return chosen


def _ask_ready(store: StoreAccess, name: str, place: Bench) -> None:
    """Shows what a ready-made study trains, and the button that runs it."""
    with controls.explain():
        with turns.turn(turns.SOON):
            study = ready_made.STUDIES[name]()
        st.write(_(ready_made.ABOUT[name]))
        button = st.container()
        with place.live:
            plans = [plan.privacy for plan in study.grid() if plan.training.seed == study.seeds[0]]
            st.dataframe(
                pd.DataFrame(
                    {
                        columns.heading("mechanism"): mechanisms.label(plan),
                        columns.heading("noise"): rounding.noise(plan.noise_multiplier),
                        columns.heading("epsilon"): rounding.epsilon(
                            accounting.epsilon(plan, Precision.PREVIEW).value
                        ),
                        columns.heading("path_noise"): rounding.down(plan.path_noise),
                    }
                    for plan in plans
                ),
                hide_index=True,
            )
            st.caption(
                " ".join(
                    plan.cohorts.assumption(plan.fleet) for plan in {one.cohorts: one for one in plans}.values()
                )
            )
        _start(store, study, place.live, button)


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


def _start(store: StoreAccess, study: Study, told: DeltaGenerator, button: DeltaGenerator) -> None:
    """Says what the study takes and leaves in the ledger, and shows the button that runs all of it.

    Args:
        store: Where it is kept.
        study: What is asked.
        told: The place of the former.
        button: That of the latter.
    """
    with turns.turn(turns.SOON):
        found = outlook.study_outlooks(store, study)
    with told:
        for one in found:
            ledger.metric(one.after, _("Epsilon of all runs on {data}, including this study"))
            st.write(outlook.sentence(one))
    with button:
        _estimate(store, study)
        refused = _refused(store, found)
        charges = [plan for one in found for plan in one.plans]
        more = _("Or choose another non-private baseline above, or none.") if 0.0 in study.noise_multipliers else ""
        with once_more.asking(store, _("Run all"), charges, primary=True, disabled=refused, more=more) as label:
            tip = _("Queues the sweep; the final run is queued when the sweep has finished.")
            if st.button(label, type="primary", key="run_all", disabled=refused, help=tip, width="stretch"):
                with controls.explain():
                    address.put("study", begun := schedule.start(store, study))
                bench.begun(begun)
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
