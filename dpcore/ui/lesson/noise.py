"""Screen: noise on the sum, and why more clients make the same privacy cheaper."""

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import language, limits, rounding
from dpcore.charts.lesson import pictures as charts
from dpcore.language import N_, _
from dpcore.lesson import averaging, sampling, softmax
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.ui.core import chart, controls
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen

_FEWEST, _MOST = averaging.CLIENTS[0], averaging.CLIENTS[-1]


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    with words:
        st.markdown(
            _(
                "What is released of the clipped updates is only a **sum with Gaussian noise**; the server, which "
                "adds it, is trusted. Against an attacker who knows who took part, {most} clients need no more noise "
                "than {fewest}; but each user is sampled more often: at noise {noise}, epsilon grows from {few} to "
                "{many} (next screen). And the sum grows with the clients: divided by their number, what all have in "
                "common stays, and the noise shrinks: press Play."
            ).format(
                most=_MOST,
                fewest=_FEWEST,
                noise=rounding.noise(PrivacyPlan.noise_multiplier),
                few=_epsilon(_FEWEST),
                many=_epsilon(_MOST),
            )
        )
        noise = controls.knob(limits.NOISE_MULTIPLIER, low=0, high=5)
        with controls.explain():
            noise = limits.NOISE_MULTIPLIER.check(noise)
        draw = screen.draw_again()
    clean = _averages()
    few, many = rounding.ratio(noise, _FEWEST), rounding.ratio(noise, _MOST)
    with picture:
        chart.show(
            _figure(noise, draw, language.current()),
            key="lesson_noise",
            label=_(
                "The noisy average update of the ten digits at noise multiplier {noise}: with {clients} clients the "
                "effective noise is {ratio} clip norms."
            ).format(noise=rounding.noise(noise), clients=_MOST, ratio=many),
            table=pd.DataFrame(
                {"clients": averaging.CLIENTS, "noise / clients": [noise / count for count in averaging.CLIENTS]}
            ),
        )
    with words:
        st.markdown(
            _(
                "At noise multiplier {noise}, the effective noise on each weight of the average is {few} clip norms "
                "with {fewest} clients, and **{many} with {most}**."
            ).format(noise=rounding.noise(noise), few=few, fewest=_FEWEST, many=many, most=_MOST)
        )
        clear = averaging.fewest_clear_clients(clean, noise)
        st.markdown(
            _("From {clients} clients on, the signal is larger than the noise.").format(clients=clear)
            if clear
            else _("Even with {clients} clients, the noise is larger than the signal.").format(clients=_MOST)
        )
        screen.way_on(
            "accountant",
            _("How private is that, with {clients} clients?").format(clients=_MOST),
            noise_multiplier=noise,
            clients_per_round=_MOST,
            clipping="fixed",
        )


def _epsilon(clients: int) -> str:
    return rounding.epsilon(accounting.epsilon(sampling.plan(clients), Precision.PREVIEW).value)


@st.cache_resource(show_spinner=False)
def _averages() -> averaging.Averages:
    return averaging.averages(softmax.first_writers(_MOST))


@st.cache_data(max_entries=50, show_spinner=False)
def _figure(noise: float, draw: int, language_code: str) -> str:
    clean = _averages()

    def pictures(means):
        """Weights without the bias, in clip norms, as [rows, classes, side, side]."""
        shape = (len(means), softmax.CLASSES, softmax.SIDE, softmax.SIDE)
        return means[:, :-1].swapaxes(1, 2).reshape(shape) / clean.clip_norm

    return charts.averages(
        pictures(averaging.noisy(clean, noise, draw)),
        averaging.CLIENTS,
        noise_multiplier=noise,
        largest=float(abs(pictures(clean.means)).max()),
    ).to_json()


SCREEN = Screen(
    key="noise",
    name=N_("Noise"),
    heading=N_("Why do more clients make the same privacy cheaper?"),
    show=_show,
)
