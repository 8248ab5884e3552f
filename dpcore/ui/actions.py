"""What can be done with a run, as buttons."""

import os
from collections.abc import Callable

import streamlit as st

from dpcore import limits
from dpcore.errors import EpsilonLabError
from dpcore.runs import supervisor
from dpcore.runs.store import RESUMABLE, Run, Store

_SAID, _DELETED = "_said", "_deleted"


def notices(store: Store) -> None:
    """Shows what the last button brought about, the way back from a deletion, and what became of a damaged file."""
    if said := st.session_state.pop(_SAID, ""):
        st.error(said, icon=":material/warning:")
    deleted = st.session_state.get(_DELETED, [])
    if deleted:
        words, undo, fine = st.columns([6, 1, 1], vertical_alignment="center")
        words.info(
            f"In the bin: {', '.join(deleted)}. The ledger keeps what it has spent.", icon=":material/delete:"
        )
        undo.button("Undo", key="undo", on_click=_undo, args=(store, deleted), width="stretch")
        fine.button("Fine", key="fine", on_click=st.session_state.pop, args=(_DELETED,), width="stretch")
    if recovered := store.recovered():
        words, button = st.columns([7, 1], vertical_alignment="center")
        words.warning(recovered, icon=":material/healing:")
        button.button("Understood", key="understood", on_click=store.forget_recovered, width="stretch")


def attempt(do: Callable, *arguments) -> None:
    """Does what a button is for; a refusal is shown at the top of the page."""
    try:
        do(*arguments)
    except EpsilonLabError as err:
        st.session_state[_SAID] = str(err)


def _undo(store: Store, run_ids: list[str]) -> None:
    for run_id in run_ids:
        store.restore(run_id)
    st.session_state.pop(_DELETED, None)


def _delete(store: Store, run_id: str) -> None:
    supervisor.delete(store, run_id)
    st.session_state.setdefault(_DELETED, []).append(run_id)


def _retry(store: Store, run_id: str) -> None:
    st.session_state["run"] = supervisor.retry(store, run_id)


def show(store: Store, run: Run) -> None:
    """Shows the buttons that a run has in its state."""

    def button(words: str, key: str, do: Callable, *arguments, tip: str) -> None:
        st.button(words, key=key, on_click=attempt, args=(do, *arguments), help=tip)

    with st.container(horizontal=True):
        if run.status == "running" and not run.stop_requested:
            tip = "Ends the run after the round it is in. What it has learnt is kept."
            button("Stop", "stop", supervisor.stop, store, run.run_id, tip=tip)
        elif run.status == "running":
            st.button("Stopping …", key="stopping", disabled=True)
            tip = "Does not wait for the round. What came before it is kept."
            button("End it now", "kill", _end_now, store, run.run_id, tip=tip)
        if run.status == "queued":
            tip = "Takes it out of the queue."
            button("Cancel", "cancel", supervisor.stop, store, run.run_id, tip=tip)
            button("First in the queue", "first", _first, store, run.run_id, tip="Puts it before all others.")
            button("Last in the queue", "last", _last, store, run.run_id, tip="Puts it behind all others.")
        if run.status in RESUMABLE and not run.complete:
            tip = "Goes on from its last checkpoint, up to its last planned round."
            button("Resume", "resume", supervisor.resume, store, run.run_id, tip=tip)
        if not run.active:
            tip = "Queues the same plan as a new run, which the ledger charges on its own."
            button("Run again", "retry", _retry, store, run.run_id, tip=tip)
            with st.popover("Delete"):
                st.write("It goes into the bin, and can be brought back. The ledger keeps what it has spent.")
                button("Put it into the bin", "delete", _delete, store, run.run_id, tip="Keeps its charge.")


def _end_now(store: Store, run_id: str) -> None:
    supervisor.stop(store, run_id, now=True)


def _first(store: Store, run_id: str) -> None:
    supervisor.move(store, run_id, before=store.queue()[0].run_id)


def _last(store: Store, run_id: str) -> None:
    supervisor.move(store, run_id, before=None)


def describe(store: Store, run: Run) -> None:
    """Shows the fields of what a person says about a run."""
    with st.expander("Name, tags and note"):
        one, two = st.columns(2)
        name = one.text_input("Name", run.name, key=f"name_{run.run_id}", max_chars=80)
        tags = two.text_input("Tags, with blanks between", run.tags, key=f"tags_{run.run_id}", max_chars=200)
        note = st.text_area("Note", run.note, key=f"note_{run.run_id}", max_chars=5000)
        if (name, tags, note) != (run.name, run.tags, run.note):
            store.describe(run.run_id, name=name, tags=tags, note=note)
            st.rerun()


def parallel(store: Store) -> None:
    """Shows how many runs train side by side, to be changed."""
    knob = limits.PARALLEL_RUNS
    count = st.number_input(
        knob.label, int(knob.minimum), int(knob.maximum), store.parallel_runs(), key="parallel", help=knob.help
    )
    if count != store.parallel_runs():
        store.set_parallel_runs(count)
    running, waiting = len(store.runs(status=["running"])), len(store.queue())
    st.caption(
        f"{running} running, {waiting} waiting. This machine has {os.cpu_count()} cores, which one run fills."
    )


def disk(store: Store) -> None:
    """Shows what runs take on the disk, and the bin."""
    kept, thrown = store.runs(), store.runs(deleted=True)
    size, freed = (sum(store.disk_use(run.run_id) for run in runs) for runs in (kept, thrown))
    st.write(
        f"{len(kept)} runs: {size / 1e6:.1f} MB in {store.home}. In the bin: {len(thrown)}, {freed / 1e6:.1f} MB."
    )
    if thrown:
        back = st.multiselect("Bring back", [run.run_id for run in thrown], key="bring_back")
        with st.container(horizontal=True):
            st.button("Bring back", key="restore", on_click=_undo, args=(store, back), disabled=not back)
            with st.popover("Empty the bin"):
                st.write("Weights, logs and rounds go for good. The ledger keeps their charges.")
                st.button("Empty it", key="empty", on_click=attempt, args=(store.empty_bin,))
