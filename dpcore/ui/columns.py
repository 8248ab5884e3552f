"""The columns of tables as people read them: headings in their language, numbers rounded and aligned.

In the tables themselves the names stay English: they head the CSV files, and code asks for them.
"""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dpcore.language import N_, _

_HEADINGS = {
    "accuracy": N_("accuracy"),
    "accused": N_("accused"),
    "accused_high": N_("accused, at most"),
    "accused_low": N_("accused, at least"),
    "adjacency": N_("adjacency"),
    "allowed": N_("allowed"),
    "at_most": N_("at most"),
    "band": N_("band"),
    "batch size": N_("batch size"),
    "best": N_("best"),
    "by round": N_("by round"),
    "class": N_("class"),
    "client learning rate": N_("client learning rate"),
    "clients": N_("clients"),
    "clients_per_round": N_("clients per round"),
    "clip norm": N_("clip norm"),
    "clip_norm": N_("clip norm"),
    "clipping": N_("clipping"),
    "cohort": N_("cohort"),
    "column": N_("column"),
    "created": N_("created (UTC)"),
    "data": N_("data"),
    "delta": N_("delta"),
    "difference": N_("difference"),
    "engine": N_("engine"),
    "epsilon alone": N_("epsilon alone"),
    "epsilon": N_("epsilon"),
    "evidence": N_("evidence"),
    "found by one pair alone": N_("found by one pair alone"),
    "found": N_("found"),
    "found_high": N_("found, at most"),
    "found_low": N_("found, at least"),
    "from": N_("from"),
    "games": N_("games"),
    "high": N_("high"),
    "inside": N_("inside"),
    "joined": N_("took part"),
    "known": N_("if cohorts were known"),
    "label": N_("label"),
    "learning rate": N_("learning rate"),
    "loss": N_("loss"),
    "low": N_("low"),
    "mean": N_("mean"),
    "median": N_("median"),
    "minutes": N_("minutes"),
    "model": N_("model"),
    "moved": N_("moved"),
    "no guarantee because": N_("no guarantee because"),
    "noise": N_("noise"),
    "noise_multiplier": N_("noise multiplier"),
    "part": N_("part"),
    "population": N_("population"),
    "ratio": N_("ratio"),
    "round": N_("round"),
    "rounds charged": N_("rounds charged"),
    "rounds": N_("rounds"),
    "row": N_("row"),
    "run": N_("run"),
    "sampled": N_("sampled"),
    "seed": N_("seed"),
    "seeds": N_("seeds"),
    "seen": N_("seen"),
    "server learning rate": N_("server learning rate"),
    "server momentum": N_("server momentum"),
    "setting": N_("setting"),
    "share": N_("share"),
    "signal_to_noise": N_("signal / noise"),
    "status": N_("status"),
    "tags": N_("tags"),
    "to": N_("to"),
    "update": N_("update"),
    "user": N_("user"),
    "users": N_("users"),
    "what": N_("what"),
    "who": N_("who"),
    "wrongly accused": N_("wrongly accused"),
    "zeroing": N_("zeroing"),
}
_HELP = {
    "accuracy": N_("On the whole test set, a diagnostic outside the guarantee"),
    "band": N_("Half the range over the seeds"),
    "best": N_("Whether no other setting is both cheaper and better, by the means over their seeds"),
    "difference": N_("Against the noise-free mean"),
    "epsilon": N_("Of all planned rounds, an upper bound"),
    "epsilon alone": N_("Of this run, as if it were the only one; an upper bound"),
    "inside": N_("Whether it lies between runs that there are"),
    "minutes": N_("Spent on its rounds"),
    "noise": N_("The noise multiplier: in units of the clip norm"),
    "ratio": N_("Noise multiplier over clients per round"),
    "rounds charged": N_("All rounds of its plan, and those that were drawn again"),
    "clients": N_("The expected number in a round's cohort"),
}
_FORMATS = {
    "accuracy": "%.3f",
    "band": "%.3f",
    "clip_norm": "%.3g",
    "difference": "%+.3f",
    "found": "%.3g",
    "high": "%.3f",
    "loss": "%.3f",
    "low": "%.3f",
    "mean": "%.3f",
    "minutes": "%.1f",
    "noise": "%.12g",
    "ratio": "%.3g",
    "share": "percent",
    "signal_to_noise": "%.2f",
    "wrongly accused": "%.3g",
}
_ALIGNED = dict.fromkeys(("epsilon", "epsilon alone", "round", "seed"), "right")  # numbers that are written as text


def shown(names: Iterable[str], **formats: str) -> dict[str, Any]:
    """Returns the `column_config` of a table with these columns; those that are not known stay as they are.

    Args:
        names: The columns of the table.
        formats: How a column's numbers are written, where that differs from the usual.
    """
    written = _FORMATS | formats
    return {
        name: st.column_config.NumberColumn(heading(name), help=_help(name), format=written[name])
        if name in written
        else st.column_config.Column(heading(name), help=_help(name), alignment=_ALIGNED.get(name))
        for name in names
        if name in _HEADINGS
    }


def heading(name: str) -> str:
    """Returns what stands above a column; an unknown one is called what it is."""
    return _(_HEADINGS[name]) if name in _HEADINGS else name


def _help(name: str) -> str | None:
    return _(_HELP[name]) if name in _HELP else None
