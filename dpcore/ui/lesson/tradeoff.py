"""Screen: what privacy costs, in the tutorial's study as it was run for the lesson."""

from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import language, rounding
from dpcore.charts.lesson import tradeoff as charts
from dpcore.language import N_, _
from dpcore.privacy import ledger
from dpcore.privacy.precision import Precision
from dpcore.reports import shipped
from dpcore.reports.study import by_setting, last_values
from dpcore.ui.core import address, chart
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen
from dpcore.ui.server import visitors

ACCEPTED = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)

_study = st.cache_resource(show_spinner=False)(lambda: shipped.read(shipped.TUTORIAL.read_bytes()))


@st.cache_data(show_spinner=False)
def _tables(code: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per setting, and its accuracy by round, with the settings' names in a language."""
    found = _study()
    named = [
        table.assign(
            setting=[
                _("noise {noise}, {clients} clients").format(noise=rounding.noise(noise), clients=clients)
                for noise, clients in zip(table["noise"], table["clients"], strict=True)
            ]
        )
        for table in (found.settings, found.rounds)
    ]
    return named[0], by_setting(named[1], "accuracy")


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    found = _study()
    settings, rounds = _tables(language.current())
    with words:
        st.write(
            _(
                "At {few} clients, more noise means more privacy and less accuracy. What costs accuracy is the "
                "effective noise, noise / clients. With more clients the model tolerates a larger noise multiplier, "
                "so the last run, at {many} clients, gets its privacy at the cost of clients, not of accuracy."
            ).format(few=settings["clients"].min(), many=settings["clients"].max())
        )
        accepted = st.select_slider(
            _("Largest acceptable epsilon"),
            ACCEPTED,
            2.0,
            format_func=rounding.given,
            key=address.key("tradeoff_accepted", 2.0),
            help=_("Epsilon from 0.5 to 20, at delta {delta}. Smaller is more private.").format(
                delta=rounding.given(found.now.study.plan.privacy.delta)
            ),
        )
        beyond = settings[(settings["epsilon"] > accepted) & (settings["noise"] > 0)]
        st.write(_answer(settings, accepted))
        shown = settings.assign(epsilon=[rounding.epsilon(value) for value in settings["epsilon"]])
        chart.show(
            charts.accuracy_by_epsilon(settings, accepted=accepted),
            key="tradeoff_price",
            label=_("Accuracy at the end against epsilon. {answer}").format(answer=_answer(settings, accepted)),
            table=shown[["setting", "epsilon", "accuracy", "band"]],
        )
        # A visitor's share is one seed of it.
        seeds = 1 if visitors.hosted() else len(found.now.study.seeds)
        screen.way_on("study", _("Run this study yourself"), seeds=seeds)
    with picture:
        chart.show(
            charts.by_round(
                rounds, total_rounds=max(found.now.study.rounds), accepted=accepted, beyond=set(beyond["setting"])
            ),
            key="tradeoff_rounds",
            label=_("Accuracy by round, one line per setting. Last: {values}.").format(
                values=last_values(rounds, "accuracy")
            ),
            table=rounds,
        )
        _provenance(found)


@st.cache_data(show_spinner=False)
def _together() -> str:
    """The epsilon of all settings that have noise, a run of each."""
    found = _study()
    plans = [
        replace(found.now.study.plan.privacy, noise_multiplier=noise, clients_per_round=clients)
        for noise, clients in zip(found.settings["noise"], found.settings["clients"], strict=True)
        if noise
    ]
    return rounding.epsilon(ledger.compose(plans, plans[0].delta, Precision.PREVIEW).headline.value)


def _answer(settings: pd.DataFrame, accepted: float) -> str:
    base = settings[settings["noise"] == 0].iloc[0]
    kept = settings[settings["epsilon"] <= accepted]
    if kept.empty:
        return _("No run of the study has an epsilon of at most {accepted}: the smallest is {least}.").format(
            accepted=rounding.given(accepted), least=rounding.epsilon(settings["epsilon"].min())
        )
    best = kept.loc[kept["accuracy"].idxmax()]
    return _(
        "Within epsilon {accepted}, the best is {setting}: accuracy {accuracy:.1%} ± {band:.1%} at epsilon "
        "{epsilon}. The non-private baseline has {base:.1%} ± {base_band:.1%}."
    ).format(
        accepted=rounding.given(accepted),
        setting=best["setting"],
        accuracy=best["accuracy"],
        band=best["band"],
        epsilon=rounding.epsilon(best["epsilon"]),
        base=base["accuracy"],
        base_band=base["band"],
    )


def _provenance(found: shipped.ShippedStudy) -> None:
    """Says where the numbers come from, and what they do not say."""
    study = found.now.study
    st.caption(
        _(
            "Precomputed: {command}, by Epsilon Lab {program} on {made}, on the data set {dataset}, seeds {seeds}; "
            "epsilon by {accountant}, each for one run alone. Lines are means over the seeds, bands their range, ± "
            "half of it. Accuracy is on the whole test set, a diagnostic that the guarantee does not cover. What is "
            "best was chosen on the same users: all these runs together have no bound, and the noisy ones alone, one "
            "seed of each, epsilon {together}, as if they had been fixed beforehand. They are seeded runs, not for "
            "release: whoever knows a seed can recompute the noise."
        ).format(
            command=shipped.COMMAND,
            program=found.program,
            made=found.made,
            dataset=study.plan.training.dataset,
            seeds=", ".join(f"{seed}" for seed in study.seeds),
            accountant=found.accountant,
            together=_together(),
        )
    )
    asked = _("The study as JSON, for study run --spec")
    with st.expander(asked, key="study_as_json", on_change="rerun") as spec:
        if spec.open:
            st.code(study.to_json(), language="json", wrap_lines=True)


SCREEN = Screen(
    key="tradeoff",
    name=N_("The trade-off"),
    heading=N_("What does privacy cost: accuracy or clients?"),
    show=_show,
)
