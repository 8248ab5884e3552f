"""What does a run show of its own guarantee?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.privacy.auditing import result
from dpcore.reports import audit as report
from dpcore.runs.audit import recorded
from dpcore.runs.process import supervisor
from dpcore.ui.audit import broken, from_elsewhere, measured, side_by_side
from dpcore.ui.core import actions, choices, controls, frame, states
from dpcore.ui.server import services, turns
from dpcore.ui.train import live

frame.page(N_("Audit"), N_("What does a run show of its own guarantee?"))
with controls.explain():
    store = services.store()
    actions.notices(store)
audited = {run.run_id: live.label(run) for run in supervisor.runs(store) if run.audit is not None}
if not audited:
    states.nothing_yet(
        _(
            "No run has been audited yet: turn on **Audit** on the page **Train**, or break something on purpose below."
        ),
        icon=":material/straighten:",
        to=("train",),
    )
else:
    chosen = choices.linked(
        st.selectbox,
        _("Run"),
        list(audited),
        format_func=audited.__getitem__,
        key="audited",
        stays=True,
        help=_("Which audited run is shown, the newest first."),
    )
    with controls.refusals(), turns.turn(turns.TO_KEEP):
        run = supervisor.current(store, chosen)
        with st.spinner(_("Measuring …")):
            shown = recorded.analysis(store, run)
        if run.active:
            st.caption(_("It still trains: this is of its first {rounds} rounds.").format(rounds=shown.rounds))
            st.button(_("Look again"), key="look_again", help=_("Measures all rounds that there are by now."))
        measured.verdict(shown)
        left, right = st.columns([3, 2], gap="large")
        with left:
            measured.picture(shown, key="ingredients")
        with right:
            measured.limits(seeded=run.plan.training.seed is not None)
        measured.ingredients_table(shown, key="ingredients")
        st.subheader(_("Attacks"))
        measured.bounds(shown)
        st.caption(result.place_sentence(run.audit or 0))
        st.download_button(
            _("The audit as JSON"),
            lambda: report.as_json(run, shown),
            f"{run.run_id}-audit.json",
            help=_("All of these numbers, as `audit RUN --json` prints them."),
        )
    side_by_side.show(store, chosen, audited)
from_elsewhere.show()
broken.show(store)
