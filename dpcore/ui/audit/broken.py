"""Broken on purpose: a throwaway run on an engine with one fault, and which alarms ring."""

from pathlib import Path

import streamlit as st

from dpcore.language import _, translated
from dpcore.privacy.auditing import result
from dpcore.privacy.auditing.result import Result
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import demo
from dpcore.runs.audit.demo import Demo
from dpcore.ui.audit import measured
from dpcore.ui.core import actions, choices, frame, markdown
from dpcore.ui.server import visitors

POLL_SECONDS = 1.0


def show(store: StoreAccess) -> None:
    """Shows the choice of a break, the button that tries it, and what the audit saw of it."""
    with st.container(border=True, key="audit_broken"):
        st.subheader(":material/construction: " + _("Broken on purpose"))
        st.write(
            _(
                "A throwaway training on the Writers, which are nobody's data, by an engine with one fault. It is no "
                "run: no list, no ledger and no Frontier has it, and its model is thrown away. Only what the audit saw "
                "is kept."
            )
        )
    name = choices.linked(
        st.selectbox,
        _("What is broken"),
        list(demo.CHOICES),
        format_func=lambda one: _(demo.CHOICES[one]),
        key="break",
        help=_("50 clients per round, noise 1.0, 100 rounds and 1,000 canaries, each time from the same seed."),
    )
    going = demo.going(store.home)

    def look() -> None:
        if _look(store.home, name, going) != going:
            st.rerun()  # it has just ended

    frame.fragment(look, run_every=POLL_SECONDS if going else None)
    _overview(store.home)


def _look(home: Path, name: str, shown: str) -> str:
    """Draws what is known now; returns what goes on."""
    going = demo.going(home)
    if visitors.hosted():
        st.info(
            _(
                "On a shared dashboard the administrator starts this, at the machine's command line: `{command}`"
            ).format(command=f"python -m dpcore audit demo --break {name}"),
            icon=":material/lock:",
        )
    else:
        _buttons(home, name, going)
    if going:
        _progress(demo.current(home, going) or Demo(name=going))
    if (one := demo.current(home, name)) is None:
        st.caption(_("This has not been tried here yet."))
    elif one.message:
        st.warning(visitors.without_paths(translated(one.message)), icon=":material/error:")
    elif one.result is not None:
        _answer(name, one.result)
    return going


def _buttons(home: Path, name: str, going: str) -> None:
    with st.container(horizontal=True):
        tip = _("Trains in the background, for about a minute, also when this page is closed.")
        actions.button(_("Try it"), "demo_start", demo.start, home, name, tip=tip, disabled=bool(going))
        if going:
            actions.button(
                _("Stop"), "demo_stop", demo.stop, home, tip=_("Ends it at once. Nothing of it is kept.")
            )


def _progress(one: Demo) -> None:
    words = _("Round {number} of {total}").format(number=one.round, total=one.rounds)
    if not one.round:
        words = _("Starting (some seconds)")
    elif one.round == one.rounds:
        words = _("Measuring what came of it")
    st.progress(one.round / one.rounds, text=f"{_(demo.CHOICES[one.name])} {words}")


def _answer(name: str, shown: Result) -> None:
    words = _("BROKEN ON PURPOSE: {what}") if name in demo.BREAKS else "{what}"
    st.markdown("**" + words.format(what=_(demo.CHOICES[name])) + "**")
    if shown.alarms:
        st.error(result.sentence(shown), icon=":material/notifications_active:")
    elif name in demo.BREAKS:
        st.warning(
            _("No alarm rang, and the training was broken all the same. That is what no alarm is worth."),
            icon=":material/notifications_off:",
        )
    else:
        st.info(_("No alarm rang, and nothing was broken."), icon=":material/notifications_off:")
    if not shown.alarms:
        st.write(result.sentence(shown))
    measured.picture(shown, key="demo_ingredients")
    measured.ingredients_table(shown, key="demo_ingredients")


def _overview(home: Path) -> None:
    """Shows what rang for each break that was tried here."""
    tried = {name: one.result for name in demo.CHOICES if (one := demo.current(home, name)) and one.result}
    if not tried:
        return
    st.markdown(_("**What was tried here, and what rang**"))
    heads = (_("What is broken"), _("Alarms"))
    lines = [(_(demo.CHOICES[name]), _alarms(shown)) for name, shown in tried.items()]
    with st.container(key="audit_table_tried"):
        st.markdown(markdown.table(heads, "ll", lines))


def _alarms(shown: Result) -> str:
    if not shown.alarms:
        return measured.verdict_of(alarms=False)
    return "✕ " + ", ".join(measured.short(name) for name in shown.alarms)
