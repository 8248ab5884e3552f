"""A model from elsewhere: three files that somebody hands in, and what its canaries show."""

import io

import streamlit as st

from dpcore import rounding
from dpcore.language import _
from dpcore.privacy.auditing import final_model
from dpcore.privacy.auditing.final_model import FinalModel
from dpcore.runs.audit import alone
from dpcore.ui.audit import measured
from dpcore.ui.core import controls, markdown
from dpcore.ui.data import importing
from dpcore.ui.server import turns, visitors


def show() -> None:
    """Shows where the files are sent, and what comes of them. Visitors of a shared dashboard send none."""
    with st.expander(_("A model from elsewhere"), icon=":material/upload_file:", key="audit_elsewhere"):
        st.write(
            _(
                "The final model alone of a training in any framework: `{manifest}` draws canaries for it, which are "
                "users that send what they are told. An audited run of this program has all three files in the folder "
                "audit that `{export}` writes."
            ).format(
                manifest="python -m dpcore audit manifest --layers FILE --out FOLDER",
                export="python -m dpcore runs export RUN FOLDER",
            )
        )
        if visitors.hosted() or not importing.allowed():
            st.info(
                _("No files are taken here. At the machine's command line: `{command}`").format(
                    command="python -m dpcore audit model MANIFEST --initial FILE --final FILE"
                ),
                icon=":material/lock:",
            )
            return
        manifest, initial, final = (
            st.file_uploader(label, [ending], key=f"audit_file_{name}", help=tip)
            for name, label, ending, tip in (
                (
                    "manifest",
                    _("Manifest of the canaries"),
                    "json",
                    _("Which canaries took part, along which directions, and what is claimed."),
                ),
                (
                    "initial",
                    _("Initial weights"),
                    "npz",
                    _("Those before the first round, as numpy.savez writes them: an array a layer, by its name."),
                ),
                (
                    "final",
                    _("Final weights"),
                    "npz",
                    _("Those after the last round, as numpy.savez writes them: an array a layer, by its name."),
                ),
            )
        )
        if manifest is None or initial is None or final is None:
            return
        with controls.refusals(), turns.turn(turns.TO_KEEP):
            with st.spinner(_("Measuring …")):
                sent = (manifest, initial, final)
                shown = _shown(tuple(file.file_id for file in sent), _sent=[file.getbuffer() for file in sent])
            _answer(shown)


@st.cache_data(max_entries=8, show_spinner=False)
def _shown(ids: tuple[str, ...], _sent: list[memoryview]) -> FinalModel:
    """Returns what the files show, once for as long as they are there: seconds."""
    manifest, initial, final = map(io.BytesIO, _sent)
    return alone.analysis(alone.read_manifest(manifest), initial, final)


def _answer(shown: FinalModel) -> None:
    if shown.alarms:
        st.error(final_model.sentence(shown), icon=":material/notifications_active:")
    else:
        st.info(final_model.sentence(shown), icon=":material/straighten:")
    heads = (
        _("Attack, and what its bound assumes"),
        _("Shows at least"),
        _("The plan claims at most"),
        _("Confidence"),
        _("Right guesses"),
    )
    lines = [
        (
            _(final_model.METHODS[bound.method]),
            rounding.down(bound.epsilon),
            rounding.epsilon(shown.claim),
            rounding.down_percent(bound.confidence or 0.0),
            _("{right:,} of {guesses:,}").format(right=bound.right, guesses=bound.guesses),
        )
        for bound in shown.bounds
    ]
    with st.container(key="audit_table_final_model"):
        st.markdown(markdown.table(heads, "lrrrr", lines))
    measured.estimate(shown.cosine)
    st.caption(final_model.limits_sentence())
