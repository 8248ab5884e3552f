"""Screen: epsilon as an attacker's game, with the score kept against the curve of the guarantee."""

import secrets
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import rng, rounding
from dpcore.charts.lesson import game as charts
from dpcore.language import N_, _
from dpcore.lesson import game
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk
from dpcore.ui.core import address, chart
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen

NOISE = (0.3, 0.5, 0.8, 1.2, 2.4)
AT_ONCE = 1_000
_NO_SCORE = game.Score()
_TABLES, _SEED = "lesson_game", "lesson_game_seed"


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Where the games with one noise multiplier are.

    Attributes:
        number: The game that is on.
        said: What was guessed in it; `None` before.
        yours: The score of whoever sits before the page.
        best: The score of the best attacker.
    """

    number: int = 1
    said: bool | None = None
    yours: game.Score = _NO_SCORE
    best: game.Score = _NO_SCORE


@st.cache_data(max_entries=50, show_spinner=False)
def _guarantee(plan: PrivacyPlan) -> tuple[float, pd.DataFrame]:
    """The plan's epsilon, and the most that attacks find at each rate of wrong accusations."""
    # With little noise the curve rises steeply at 0: between points further apart, a line would be drawn far below it.
    accused = np.unique(rounding.short([*np.geomspace(1e-18, 1, 150), *np.linspace(0, 1, 101)]))
    at_most = risk(plan).true_positive_rate(accused)
    return accounting.epsilon(plan, Precision.PREVIEW).value, pd.DataFrame({"accused": accused, "at_most": at_most})


def _draw(noise: float, number: int, who: str = "one") -> np.random.Generator:
    return rng.stream(_seed(), f"lesson_game {who} {noise}", number)


def _seed() -> int:
    """The link's, so that all who open it judge the same users, or one of this session's own; it keeps either."""
    st.session_state[_SEED] = screen.draw(default=st.session_state.get(_SEED, secrets.randbits(32)))
    return st.session_state[_SEED]


def _guess(noise: float, took_part: bool, said: bool) -> None:
    table = _table(noise)
    if table.said is None:  # a second press, before the page has answered the first, is none
        _keep(noise, replace(table, said=said, yours=table.yours + game.score(took_part, said)))


def _next(noise: float) -> None:
    table = _table(noise)
    _keep(noise, replace(table, number=table.number + 1, said=None))


def _play_many(noise: float) -> None:
    table = _table(noise)
    took_part, evidence = game.play_many(_plan(noise), _draw(noise, table.best.games, "many"), AT_ONCE)
    _keep(noise, replace(table, best=table.best + game.score(took_part, evidence > 0)))


def _table(noise: float) -> _Table:
    return st.session_state.get(_TABLES, {}).get(noise, _Table())


def _keep(noise: float, table: _Table) -> None:
    st.session_state.setdefault(_TABLES, {})[noise] = table


def _plan(noise: float) -> PrivacyPlan:
    return PrivacyPlan(noise_multiplier=noise)


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    screen.keep_draw(_seed())
    with words:
        st.write(
            _(
                "A fair coin has decided whether this user took part in a training of {rounds} rounds. You are the "
                "attacker that the guarantee is about: you know everybody else's data, and who of them took part in "
                "which round. So what remains of each round is its projection on this user's update: noise, and one "
                "clip norm if the user was sampled, which happens in one round in {every} on average."
            ).format(rounds=PrivacyPlan.rounds, every=PrivacyPlan.population // PrivacyPlan.clients_per_round)
        )
        st.write(
            _(
                "The lower line is the cumulative log-likelihood ratio of participation against non-participation. "
                "Deciding by its final value is the optimal attack."
            )
        )
        noise = st.pills(
            _("Noise multiplier"),
            NOISE,
            default=1.2,
            format_func=rounding.noise,
            key=address.key("game_noise", 1.2),
            required=True,
            wrap=True,
            help=_(
                "Standard deviation of the noise, in clip norms. The rest of the plan is the tutorial's. Each noise has "
                "a score of its own."
            ),
        )
        plan = _plan(noise)
        table = _table(noise)
        now = game.play(plan, _draw(noise, table.number))
        _ask(noise, table, now)
    with picture:
        _picture(now, told=table.said is not None)
    epsilon, curve = _guarantee(plan)
    against, told = screen.places()
    with against:
        _scores(table, epsilon, curve, plan)
    with told:
        _say(table, epsilon, plan)


def _ask(noise: float, table: _Table, now: game.Game) -> None:
    """Shows the buttons of a game, and what was true once something was guessed."""
    st.markdown("**" + _("Game {number}: did this user take part?").format(number=table.number) + "**")
    guessed = table.said is not None
    with st.container(horizontal=True):
        for label, key, said in ((_("Took part"), "game_yes", True), (_("Did not"), "game_no", False)):
            st.button(label, key=key, disabled=guessed, on_click=_guess, args=(noise, now.took_part, said))
        st.button(
            _("Next user"), key="game_next", type="primary", disabled=not guessed, on_click=_next, args=(noise,)
        )
    if not guessed:
        st.info(_("Look at the picture, then press one of them."), icon=":material/help:")
        return
    verdict = _("Right.") if table.said == now.took_part else _("Wrong.")
    truth = (
        _("This user took part, and was sampled in {rounds} of the rounds: the large diamonds.").format(
            rounds=int(now.joined.sum())
        )
        if now.took_part
        else _("This user did not take part: all of it was noise.")
    )
    show, icon = (st.success, ":material/check:") if table.said == now.took_part else (st.error, ":material/close:")
    show(f"{verdict} {truth}", icon=icon)


def _picture(now: game.Game, *, told: bool) -> None:
    table = pd.DataFrame({"round": np.arange(1, len(now.seen) + 1), "seen": now.seen, "evidence": now.evidence})
    if told:
        table["joined"] = now.joined
    chart.show(
        charts.release(table),
        key="game_release",
        label=_(
            "The observed projection of one user in each of {rounds} rounds, and the cumulative log-likelihood ratio "
            "of participation, {evidence:.2f} at the end."
        ).format(rounds=len(table), evidence=now.evidence[-1]),
        table=table,
    )


def _say(table: _Table, epsilon: float, plan: PrivacyPlan) -> None:
    """Says how guesses went, and lets the optimal attacker play."""
    st.write(
        _(
            "({epsilon}, {delta}) bounds every attacker who is not told in which rounds this user was sampled: the "
            "curve is the upper bound on the TPR at each FPR. Error bars are {level} confidence intervals: by chance, a "
            "score of few games may lie above the curve."
        ).format(epsilon=rounding.epsilon(epsilon), delta=rounding.given(plan.delta), level="95%")
    )
    st.button(
        _("Let the optimal attacker play {games:,} games").format(games=AT_ONCE),
        key="game_many",
        on_click=_play_many,
        args=(plan.noise_multiplier,),
        help=_("It decides that a user took part where the log-likelihood ratio ends above 0."),
    )
    for who, score in _players(table).items():
        if score.games:
            st.write(_sentence(who, score, plan))
    words = _("This plan in the Accountant: what the optimal attack achieves")
    screen.way_on("accountant", words, noise_multiplier=plan.noise_multiplier)
    words = _("A training that is broken on purpose: which alarms ring, and which do not")
    screen.way_on("audit", words)


def _players(table: _Table) -> dict[str, game.Score]:
    return {_("You"): table.yours, _("Optimal attacker"): table.best}


def _scores(table: _Table, epsilon: float, curve: pd.DataFrame, plan: PrivacyPlan) -> None:
    """Shows how guesses went against the guarantee."""
    players = _players(table)
    points = pd.DataFrame([_point(who, score) for who, score in players.items() if score.members and score.others])
    chart.show(
        charts.scores(curve, points, noise_multiplier=plan.noise_multiplier),
        key="game_scores",
        label=_(
            "True-positive rate against false-positive rate. With epsilon {epsilon}, no attack has a TPR above "
            "{most} at an FPR of 10%."
        ).format(
            epsilon=rounding.epsilon(epsilon), most=rounding.percent(float(risk(plan).true_positive_rate(0.1)))
        ),
        table=points if len(points) else curve,
    )


def _point(who: str, score: game.Score) -> dict[str, str | float]:
    """A player's rates, with what their number of games leaves open."""
    found = game.confidence_interval(score.true_positives, score.members)
    accused = game.confidence_interval(score.false_positives, score.others)
    return {
        "who": who,
        "games": score.games,
        "found": score.true_positives / score.members,
        "found_low": found[0],
        "found_high": found[1],
        "accused": score.false_positives / score.others,
        "accused_low": accused[0],
        "accused_high": accused[1],
    }


def _sentence(who: str, score: game.Score, plan: PrivacyPlan) -> str:
    words = _(
        "**{who}**: right in {right:,} of {games:,}. True positives: {found:,} of {members:,} who took part; false "
        "positives: {accused:,} of {others:,} who did not."
    ).format(
        who=who,
        games=score.games,
        right=score.right,
        found=score.true_positives,
        members=score.members,
        accused=score.false_positives,
        others=score.others,
    )
    rate = score.accused_rate
    if rate is None:
        return words
    more = (
        _("In the long run, the TPR at that FPR is at most {most}.")
        if rate == score.false_positives / score.others
        else _("The FPR may be up to {rate} ({level} confidence interval): there, the TPR is at most {most}.")
    )
    most = float(risk(plan).true_positive_rate(rate))
    return f"{words} {more.format(rate=rounding.percent(rate), most=rounding.percent(most), level='95%')}"


SCREEN = Screen(
    key="game",
    name=N_("The attacker"),
    heading=N_("Epsilon as a game: did this user take part?"),
    show=_show,
)
