"""What can be done with a run, as buttons."""

import os
from collections.abc import Callable
from functools import partial

import streamlit as st

from dpcore import language, limits
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.runs.access import visiting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store import folders
from dpcore.runs.store.run_rows import RESUMABLE, Run
from dpcore.ui.core import address, bench, controls, frame, once_more, states
from dpcore.ui.server import visitors

_SAID, _DELETED, _SELECTED = "_said", "_deleted", "_selected"


def notices(store: StoreAccess) -> None:
    """Shows what the last button brought about, the way back from a deletion, and what was lost and read back."""
    if said := st.session_state.pop(_SAID, ""):
        st.error(said, icon=":material/warning:")
    if deleted := just_deleted():
        st.info(
            _("In the bin: {runs}. The ledger keeps what it has spent.").format(runs=", ".join(deleted)),
            icon=":material/delete:",
        )
        with st.container(horizontal=True):
            button(
                _("Undo"), "undo", _undo, store, deleted, tip=_("Brings back what was put into the bin just now.")
            )
            button(_("Dismiss"), "fine", _forget_deleted, tip=_("Hides this note; the bin is below."))
    read_back(store)


def read_back(store: StoreAccess) -> None:
    """Shows what was lost of the file of runs and read back, until somebody has read that."""
    if recovered := store.recovered():
        st.warning(language.translated(recovered), icon=":material/healing:")
        button(_("Dismiss"), "understood", store.forget_recovered, tip=_("Hides this note for everybody."))


def button(words: str, key: str, do: Callable, *arguments, tip: str, disabled: bool = False) -> None:
    """Shows a button; a refusal of what it is for is shown at the top of the page.

    What a press does runs before the page, which alone knows its language: so that is kept.
    """
    st.button(
        words,
        key=key,
        on_click=language.in_current_language(attempt),
        args=(do, *arguments),
        help=tip,
        disabled=disabled,
    )


def attempt(do: Callable, *arguments) -> None:
    """Does what a button is for; a refusal is shown at the top of the page."""
    frame.pressed()
    try:
        do(*arguments)
    except EpsilonLabError as err:
        st.session_state[_SAID] = visitors.without_paths(str(err))


def just_deleted() -> list[str]:
    """Returns the runs whose way back from the bin is offered."""
    return st.session_state.get(_DELETED, [])


def _undo(store: StoreAccess, run_ids: list[str]) -> None:
    for run_id in run_ids:
        attempt(store.restore, run_id)
        address.put("run", run_id)
    _forget_deleted()


def _forget_deleted() -> None:
    st.session_state.pop(_DELETED, None)


def _delete(store: StoreAccess, run_id: str) -> None:
    supervisor.delete(store, run_id)
    st.session_state.setdefault(_DELETED, []).append(run_id)


def select(run_id: str) -> None:
    """Lets Train show this run, and its link name it.

    From then on the choice of the run is another control, with an identity of its own: what a browser still sends that
    has not heard of the new run is about the one before.
    """
    address.put("run", run_id)
    st.session_state[_SELECTED] = [*selected(), run_id]
    bench.begun(run_id)


def selected() -> list[str]:
    """Returns the runs that were begun in this tab, the newest last."""
    return st.session_state.get(_SELECTED, [])


def show(store: StoreAccess, run: Run) -> None:
    """Shows the buttons that a run has in its state."""
    mine = visiting.owns(store, run.owner)
    with st.container(horizontal=True, width="content"):
        if mine and run.status == "running" and not run.stop_requested:
            tip = _("Ends the run after its current round. Its results so far are kept.")
            button(_("Stop"), "stop", supervisor.stop, store, run.run_id, tip=tip)
        elif mine and run.status == "running":
            tip = _("It ends after its current round.")
            st.button(_("Stopping …"), key="stopping", disabled=True, help=tip)
            tip = _("Does not wait for the round to end. Earlier rounds are kept.")
            button(_("End it now"), "kill", lambda: supervisor.stop(store, run.run_id, now=True), tip=tip)
        if mine and run.status == "queued":
            tip = _("Takes it out of the queue.")
            button(_("Cancel"), "cancel", supervisor.stop, store, run.run_id, tip=tip)
        if run.status == "queued" and not visitors.hosted():  # who goes first makes all others wait
            move = partial(supervisor.move, store, run.run_id)
            tip = _("Puts it before all others.")
            button(_("First in the queue"), "first", lambda: move(before=store.queue()[0].run_id), tip=tip)
            tip = _("Puts it behind all others.")
            button(_("Last in the queue"), "last", lambda: move(before=None), tip=tip)
        if mine and run.status in RESUMABLE and not run.complete:
            tip = _("Goes on from its last checkpoint, up to its last planned round.")
            owed = supervisor.charge_of_resuming(run)
            with once_more.asking(store, _("Resume"), [owed] if owed else []) as label:
                button(label, "resume", supervisor.resume, store, run.run_id, tip=tip)
        if not run.active:
            tip = _("Queues the same plan as a new run, which the ledger charges on its own.")
            with once_more.asking(store, _("Run again"), [run.plan]) as label:
                button(label, "retry", lambda: select(supervisor.retry(store, run.run_id)), tip=tip)
        if mine and not run.active:
            with st.popover(_("Delete"), key="delete_run", help=_("Asks for confirmation first.")):
                st.write(_("It goes into the bin, and can be brought back. The ledger keeps what it has spent."))
                tip = _("Its charge stays in the ledger.")
                button(_("Put it into the bin"), "delete", _delete, store, run.run_id, tip=tip)


def describe(store: StoreAccess, run: Run) -> None:
    """Shows the fields of what a person says about a run."""
    with st.expander(_("Name, tags and note")):
        one, two = st.columns(2)
        fixed = not visiting.owns(store, run.owner)

        def field(show: Callable, label: str, name: str, most: int, tip: str) -> None:
            key = f"{name}_{run.run_id}"

            def changed() -> None:  # this field alone: another tab may have changed the others
                attempt(lambda: store.describe(run.run_id, **{name: st.session_state[key]}))

            st.session_state[key] = getattr(run, name)  # what it is now, whoever has written it
            show(
                label,
                key=key,
                disabled=fixed,
                max_chars=most,
                help=tip,
                on_change=language.in_current_language(changed),
            )

        field(
            one.text_input, _("Name"), "name", 80, _("What lists call it instead of its id; at most 80 characters.")
        )
        field(
            two.text_input,
            _("Tags, with blanks between"),
            "tags",
            200,
            _("Words to find it by; at most 200 characters."),
        )
        field(
            st.text_area, _("Note"), "note", 5000, _("What you want to remember of it; at most 5,000 characters.")
        )


def parallel(store: StoreAccess) -> None:
    """Shows how many runs train side by side, to be changed."""
    knob = limits.PARALLEL_RUNS
    count = controls.count(
        _(knob.label),
        low=int(knob.minimum),
        high=int(knob.maximum),
        default=store.parallel_runs(),
        key="parallel",
        help=_(knob.help),
        disabled=visitors.hosted(),
    )
    if not visitors.hosted() and count is not None and count != store.parallel_runs():
        store.set_parallel_runs(count)
    running, waiting = sum(run.status == "running" for run in supervisor.runs(store)), len(store.queue())
    st.caption(
        _("{running} running, {waiting} waiting. This machine has {cores} cores; one run uses all of them.").format(
            running=running, waiting=waiting, cores=os.cpu_count()
        )
    )


def disk(store: StoreAccess) -> None:
    """Shows what runs take on the disk, and the bin."""
    kept, thrown = store.runs(), store.runs(deleted=True)
    where = "" if visitors.hosted() else _(" in {folder}").format(folder=store.home)
    size, freed = (sum(folders.size(store.folder(run.run_id)) for run in runs) for runs in (kept, thrown))
    st.write(
        _("{runs} runs: {size:.1f} MB{place}. In the bin: {thrown}, {freed:.1f} MB.").format(
            runs=len(kept), size=size / 1e6, place=where, thrown=len(thrown), freed=freed / 1e6
        )
    )
    thrown = [run for run in thrown if visiting.owns(store, run.owner)]
    if thrown:
        titles = {run.run_id: f"{run.title} · {states.name(run.status)}" for run in thrown}
        back = st.multiselect(
            _("Bring back"),
            list(titles),
            format_func=titles.__getitem__,
            key="bring_back",
            placeholder=_("Choose runs"),
            help=_("Runs in the bin that are to be in the list again."),
        )
        with st.container(horizontal=True):
            tip = _("They come back as they were.")
            button(_("Bring back"), "restore", _undo, store, back, tip=tip, disabled=not back)
            if visitors.hosted():
                return
            with st.popover(_("Empty the bin"), key="empty_bin", help=_("Asks for confirmation first.")):
                st.write(_("Weights, logs and rounds go for good. The ledger keeps their charges."))
                button(_("Empty it"), "empty", store.empty_bin, tip=_("Cannot be undone."))
