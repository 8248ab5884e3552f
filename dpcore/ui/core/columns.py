"""The columns of tables as people read them: headings in their language, numbers rounded and aligned.

In the tables themselves the names stay English: they head the CSV files, and code asks for them.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pandas as pd
import streamlit as st
from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype

from dpcore import rounding
from dpcore.language import N_, _

_HEADINGS = {
    "accuracy": N_("accuracy"),
    "accused": N_("false-positive rate"),
    "accused_high": N_("false-positive rate, upper limit (95%)"),
    "accused_low": N_("false-positive rate, lower limit (95%)"),
    "adjacency": N_("adjacency"),
    "allowed": N_("sensitivity assumed"),
    "at_most": N_("true-positive rate, upper bound"),
    "band": N_("band"),
    "bands": N_("bands"),
    "batch size": N_("batch size"),
    "best": N_("on the Pareto front"),
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
    "correlated": N_("correlated noise"),
    "correlated_rms": N_("correlated noise, root mean square"),
    "created": N_("created (UTC)"),
    "data": N_("data"),
    "delta": N_("delta"),
    "difference": N_("difference"),
    "engine": N_("engine"),
    "epsilon alone": N_("epsilon of this run"),
    "epsilon": N_("epsilon"),
    "epsilon_hat": N_("epsilon-hat: what attacks show (lower bound, 95%)"),
    "evidence": N_("cumulative log-likelihood ratio"),
    "examples": N_("examples"),
    "found by one pair alone": N_("true-positive rate, worst case for (ε, δ)-DP"),
    "found": N_("true-positive rate"),
    "found_high": N_("true-positive rate, upper limit (95%)"),
    "found_low": N_("true-positive rate, lower limit (95%)"),
    "from": N_("from"),
    "games": N_("games"),
    "group": N_("group"),
    "high": N_("high"),
    "independent": N_("independent noise"),
    "independent_rms": N_("independent noise, root mean square"),
    "inside": N_("interpolated"),
    "joined": N_("took part"),
    "known": N_("without amplification"),
    "label": N_("label"),
    "learning rate": N_("learning rate"),
    "local epochs": N_("local epochs"),
    "loss": N_("loss"),
    "low": N_("low"),
    "mean": N_("mean"),
    "max participations": N_("most rounds a user"),
    "mechanism": N_("cohorts and noise"),
    "median": N_("median"),
    "min separation": N_("rounds apart, at least"),
    "minutes": N_("minutes"),
    "model": N_("model"),
    "moved": N_("sensitivity"),
    "no guarantee because": N_("no guarantee because"),
    "noise / clients": N_("noise / clients"),
    "noise": N_("noise"),
    "noise kind": N_("kind of noise"),
    "noise_multiplier": N_("noise multiplier"),
    "part": N_("part"),
    "participation": N_("participation"),
    "path_noise": N_("noise on the model's path"),
    "population": N_("population"),
    "ratio": N_("ratio"),
    "round": N_("round"),
    "rounds charged": N_("rounds charged"),
    "rounds": N_("rounds"),
    "row": N_("row"),
    "run": N_("run"),
    "sampled": N_("with amplification by sampling"),
    "seed": N_("seed"),
    "seeds": N_("seeds"),
    "seen": N_("observed projection"),
    "server learning rate": N_("server learning rate"),
    "server momentum": N_("server momentum"),
    "setting": N_("setting"),
    "share": N_("share"),
    "signal_to_noise": N_("signal-to-noise ratio"),
    "status": N_("status"),
    "tags": N_("tags"),
    "to": N_("to"),
    "update": N_("update"),
    "user": N_("user"),
    "users": N_("users"),
    "what": N_("item"),
    "who": N_("attacker"),
    "wrongly accused": N_("false-positive rate"),
    "zeroing": N_("zeroing"),
}
_HELP = {
    "accuracy": N_("On the whole test set, a diagnostic that the guarantee does not cover"),
    "band": N_("Half the range over the seeds"),
    "best": N_("Whether no other setting is both cheaper and more accurate, by the means over their seeds"),
    "difference": N_("Against the mean of the non-private baseline"),
    "epsilon": N_("Of all planned rounds, an upper bound"),
    "epsilon alone": N_("Of this run, as if it were the only one; an upper bound"),
    "inside": N_("Whether it lies between existing runs"),
    "minutes": N_("Training time of its rounds"),
    "noise": N_("The noise multiplier: in units of the clip norm"),
    "ratio": N_("Noise multiplier over clients per round"),
    "rounds charged": N_("All rounds of its plan, and those that were drawn again"),
    "clients": N_("The expected size of a round's cohort"),
}
# How numbers of privacy are rounded before Streamlit sees them: it knows the nearest number only.
_ROUNDED = {
    **dict.fromkeys(("PLD", "RDP", "epsilon", "known", "sampled"), rounding.epsilon),
    **dict.fromkeys(("noise", "noise_multiplier"), rounding.noise),
    **dict.fromkeys(
        ("accused", "accused_low", "allowed", "epsilon_hat", "found_low", "noise / clients", "path_noise", "ratio"),
        rounding.down,
    ),
    **dict.fromkeys(
        ("accused_high", "at_most", "found", "found by one pair alone", "found_high", "moved"), rounding.up
    ),
    **dict.fromkeys(("delta", "wrongly accused"), rounding.given),
}
_FORMATS = {
    **{name: "%g" for name in _ROUNDED if _ROUNDED[name] is not rounding.epsilon},  # all digits
    "accuracy": "percent",
    "band": "percent",
    "clip_norm": "%.3g",
    "difference": "percent",
    "high": "%.3f",
    "loss": "%.3f",
    "low": "%.3f",
    **dict.fromkeys(("correlated", "correlated_rms", "independent", "independent_rms"), "%.2f"),
    "mean": "%.3f",
    "minutes": "%.1f",
    "share": "percent",
    "signal_to_noise": "%.2f",
}
# Numbers that are written as text.
_ALIGNED: dict[str, Literal["right"]] = dict.fromkeys(("epsilon", "epsilon alone", "round", "seed"), "right")


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


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a table with its numbers of privacy as people may read them: still numbers, each on its safe side."""
    numbers = [name for name in table if name in _ROUNDED and is_float_dtype(table[name])]
    return table.assign(**{name: table[name].map(_as_read(_ROUNDED[name]), na_action="ignore") for name in numbers})


def texts(table: pd.DataFrame, **formats: str) -> tuple[pd.DataFrame, set[str]]:
    """Returns a table as it is read, every cell a text under its column's heading; and which columns are numbers.

    `formats` as in `shown`.
    """
    written = _FORMATS | formats
    headings = {name: heading(str(name)) for name in table}
    numbers = {headings[name] for name in table if is_numeric_dtype(table[name]) and not is_bool_dtype(table[name])}
    told = {headings[name]: [_text(str(name), value, written) for value in table[name]] for name in table}
    return pd.DataFrame(told, columns=list(headings.values())), numbers


def _text(name: str, value: Any, written: dict[str, str]) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if name in _ROUNDED:
        return _ROUNDED[name](value)
    form = written.get(name, "%g")
    return f"{value:.1%}" if form == "percent" else form % value


def _as_read(write: Callable[[float], str]) -> Callable[[float], float]:
    return lambda value: float(write(value).replace(",", "").replace("∞", "inf"))


def heading(name: str) -> str:
    """Returns what stands above a column; an unknown one is called what it is."""
    return _(_HEADINGS[name]) if name in _HEADINGS else name


def _help(name: str) -> str | None:
    return _(_HELP[name]) if name in _HELP else None
