"""What a new study asks: its grid, its target, and how long it will take."""

import streamlit as st

from dpcore import datasets, limits
from dpcore.errors import BudgetExceededError, InvalidValueError
from dpcore.language import _
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting
from dpcore.runs import budget, duration, studies
from dpcore.runs.store import Store
from dpcore.runs.study import Study
from dpcore.ui import address, controls, data, states
from dpcore.ui import plan as plan_controls
from dpcore.ui.markdown import plain


def ask(store: Store) -> None:
    """Shows what a new study asks, to be changed, and the button that runs all of it."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            noises = _list(
                _("Noise multipliers of the sweep"),
                "0, 0.5, 0.75, 1",
                "noises",
                _("With commas between; 0 is the noise-free run that the others are held against."),
            )
            several = _("One number, or several with commas between for a grid.")
            clients = _list(_("Clients per round"), "50", "cohorts", several)
            rounds = _list(_("Rounds"), "100", "lengths", several)
            rates = _list(_("Client learning rates"), "0.01", "rates", several)
            seeds = controls.count(
                _("Seeds a setting"),
                low=limits.SEEDS.minimum,
                high=limits.SEEDS.maximum,
                default=limits.SEEDS.default,
                key=address.key("seeds", float(limits.SEEDS.default)),
                help=_(limits.SEEDS.help),
            )
            clipping = plan_controls.clipping_control()
        with right:
            final = st.toggle(
                _("Find the clients, and train the final run"),
                True,
                key=address.key("final", True),
                help=_("Otherwise the study ends with the sweep, which may then vary anything."),
            )
            target = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
            delta = controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True)
            tolerance = controls.knob(limits.TOLERANCE, low=0.01, high=0.3)
            accountant = plan_controls.accountant_control(
                accounting.ACCOUNTANTS[::-1],
                _("Accountant of the final run"),
                _("By whose epsilon the clients are found. RDP asks for more of them than PLD."),
            )
            dataset, model = data.choose_to_train(store)
        with controls.explain():
            privacy = PrivacyPlan(
                population=datasets.num_users(dataset, store.home),
                noise_multiplier=0.0,
                clients_per_round=1,
                delta=delta,
                clipping=clipping,
            )
            fingerprint = datasets.fingerprint(dataset, store.home)
            training = TrainingPlan(dataset=dataset, dataset_fingerprint=fingerprint, model=model)
            study = Study(
                plan=Plan(privacy=privacy, training=training),
                noise_multipliers=_numbers(_("Noise multipliers"), noises, float),
                clients_per_round=_numbers(_("Clients per round"), clients, int),
                rounds=_numbers(_("Rounds"), rounds, int),
                client_learning_rates=_numbers(_("Client learning rates"), rates, float),
                clippings=(clipping,),
                seeds=tuple(range(seeds)),
                tolerance=tolerance,
                target_epsilon=target if final else None,
                accountant=accountant,
            )
        plans = study.grid()
        seconds, measured = duration.seconds(store, plans, study.engine)
        runs = _("{runs} runs and the final one") if final else _("{runs} runs")
        source = _("as measured here") if measured else _("by the figures of the benchmarks")
        st.caption(
            _(
                "{what}: about {minutes:.1f} minutes for the sweep, {source}. Runs that are there already are taken as "
                "they are."
            ).format(what=runs.format(runs=len(plans)), minutes=max(0.1, seconds / 60), source=source)
        )
        try:
            budget.check(store, plans[0])
            refused = ""
        except BudgetExceededError as err:
            refused = str(err)
            st.error(refused, icon=":material/block:")
            states.link("ledger", dataset=dataset)
        tip = _("Queues the sweep; what follows is queued when it is known.")
        if st.button(_("Run all"), type="primary", key="run_all", disabled=bool(refused), help=tip):
            with controls.explain():
                address.put("study", studies.start(store, study))
            st.rerun()


def _list(label: str, default: str, key: str, tip: str) -> str:
    return st.text_input(label, default, limits.MOST_GRID_TEXT, key=address.key(key, default), help=tip)


def _numbers(label: str, text: str, kind: type) -> tuple:
    try:
        found = tuple(kind(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError as err:
        raise InvalidValueError(
            label,
            _("Expected {label} to be numbers with commas between, found {text}.").format(
                label=label, text=plain(text)
            ),
        ) from err
    if not found:
        raise InvalidValueError(
            label, _("Expected at least one number for {label}, found none.").format(label=label)
        )
    return tuple(dict.fromkeys(found))
