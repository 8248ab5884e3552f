"""What does a plan learn? Its epsilon first, then the training, live."""

import streamlit as st

from dpcore import datasets, limits, rounding
from dpcore.language import N_, _
from dpcore.learning import engines
from dpcore.mechanisms.participation import Fleet
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, statement
from dpcore.runs.process import supervisor
from dpcore.ui.accountant import cohorts, ledger
from dpcore.ui.accountant import plan as plan_controls
from dpcore.ui.core import actions, address, choices, controls, frame, once_more
from dpcore.ui.data import look
from dpcore.ui.server import services, turns
from dpcore.ui.train import live

frame.page(N_("Train"), N_("What does the model learn under this guarantee?"))
with controls.explain():
    store = services.store()
    actions.notices(store)

with st.container(border=True), controls.refusals():  # what trains below is shown all the same
    left, right = st.columns(2, gap="large")
    with left:
        noise = controls.knob(limits.NOISE_MULTIPLIER, low=0.0, high=5.0)
        forming = cohorts.ask()
        clients = None
        if not forming.is_full:
            clients = controls.knob(limits.CLIENTS_PER_ROUND, low=1, high=3000, logarithmic=True)
        rounds = controls.knob(limits.ROUNDS, low=1, high=1000, logarithmic=True)
        delta = controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True)
        adjacency = cohorts.adjacency(forming)
        clipping = plan_controls.clipping_control()
        cohorts.offer_fixed_clipping(forming, clipping)
    with right:
        dataset, model = look.choose_to_train(store)
        seed = controls.knob(limits.SEED, low=0, high=20)
        eval_every = controls.knob(limits.EVAL_EVERY, low=1, high=50)
        unseeded = st.toggle(
            _("Unseeded randomness (required for release)"),
            key=address.key("unseeded", False),
            help=_("Cohorts and noise then come from the operating system, and nobody can compute them again."),
        )
        zeroing = st.toggle(
            _("Adaptive zeroing (TFF's default; not covered by the guarantee)"),
            key=address.key("zeroing", False),
            help=_(
                "Sets outlying updates to zero. Its threshold is estimated without noise, so the guarantee does not "
                "cover it."
            ),
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

    def private(population: int) -> PrivacyPlan:
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

    plan = datasets.plan_on(dataset, store.home, private, model=model, seed=None if unseeded else seed)
    limits.EVAL_EVERY.check(eval_every)
    place = st.empty()
    for precision, line in turns.PRECISIONS:
        with turns.turn(line), place.container():
            epsilon = accounting.epsilon(plan.privacy, precision).value
            st.metric(_("Epsilon of the plan"), rounding.epsilon(epsilon))
            st.write(f"{statement.sentence(plan.privacy, epsilon)} {statement.seed_warning(plan.training.seed)}")
            for warning in plan.privacy.warnings:
                st.warning(warning, icon=":material/warning:")
            allowed = ledger.after(store, plan, precision)
    if canaries is not None:
        canaries = supervisor.check_audit(store, plan, canaries, engines.NAMES[0])
    early = st.toggle(
        _("Stop when the loss diverges"),
        key=address.key("stop_when_diverging", False),
        help=_("The guarantee, and the charge, stay those of all planned rounds."),
    )
    tip = _("Queues the plan as a new run.")
    with once_more.asking(store, _("Train"), [plan], primary=True, disabled=not allowed) as label:
        pressed = st.button(label, type="primary", key="train", disabled=not allowed, help=tip)
    if pressed:
        run_id = supervisor.start(
            store,
            plan,
            engine=engines.NAMES[0],
            eval_every=eval_every,
            stop_when_diverging=early,
            audit=canaries,
        )
        ledger.begun(plan, run_id)
        actions.select(run_id)
        st.toast(_("It is queued, and shown below."), icon=":material/model_training:")

runs = {run.run_id: live.label(run) for run in supervisor.runs(store)}
if not runs:
    st.info(
        _("Nothing has been trained here yet. Press **Train**: the charts grow round by round."),
        icon=":material/model_training:",
    )
    st.stop()
actions.keep_selected(runs)
chosen = choices.linked(
    st.selectbox,
    _("Run"),
    list(runs),
    format_func=runs.__getitem__,
    key="run",
    stays=True,
    help=_("Which run is shown below, the newest first."),
)
live.show(store, chosen)
