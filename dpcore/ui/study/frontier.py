"""What all runs together say: accuracy against its price, and what a plan would reach that nobody has run."""

import statistics
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from dpcore import limits, rounding
from dpcore.charts import studies as charts
from dpcore.language import _
from dpcore.plan import ADD_OR_REMOVE, PrivacyPlan, codec
from dpcore.privacy import accounting, calibration
from dpcore.privacy.precision import Precision
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import forecast, mechanisms, ready_made
from dpcore.ui.accountant import ledger
from dpcore.ui.core import address, chart, choices, controls, states
from dpcore.ui.server import turns
from dpcore.ui.train import live, run_list

_noise_for = st.cache_data(max_entries=200, show_spinner=False)(forecast.noise_for)
_forecast = st.cache_data(max_entries=50, show_spinner=False)(
    forecast.forecast
)  # a fit for each ratio that is left out
_solve = st.cache_data(max_entries=200, show_spinner=False)(calibration.solve)


def finished(store: StoreAccess) -> dict[str, list[Run]]:
    """Returns the runs that have finished, by the name of their data set."""
    found: dict[str, list[Run]] = {}
    for run in store.runs(status=["finished"]):
        if run.accuracy is not None:
            found.setdefault(run.plan.training.dataset, []).append(run)
    return found


def ready_made_link() -> None:
    """Shows the way to the study that compares ways to form cohorts at one epsilon."""
    (name,) = ready_made.STUDIES
    st.page_link(
        "pages/study.py",
        label=_(ready_made.TITLES[name]),
        icon=":material/arrow_forward:",
        help=_("A ready-made study: one guarantee, given in three ways, as three settings of this chart."),
        query_params=address.anew(ready_made=name),
    )


def comparable(runs: list[Run]) -> list[Run]:
    """Returns those of these runs that have an epsilon of the same meaning; says so on the page where none has."""
    found = [run for run in runs if run.plan.privacy.adjacency == ADD_OR_REMOVE and not run.plan.privacy.zeroing]
    if not found:
        st.info(
            _("These runs cannot be compared: they zero updates, or are accounted for another adjacency."),
            icon=":material/block:",
        )
    return found


def show(dataset: str, runs: list[Run]) -> None:
    """Shows accuracy against what it costs, on one data set."""
    axis = choices.linked(
        st.segmented_control,
        _("Horizontal axis"),
        list(charts.AXES),
        default="epsilon",
        format_func=lambda name: _(charts.AXES[name]),
        required=True,
        key=f"axis_{dataset}",
        help=_("The cost that accuracy is plotted against."),
    )
    if not (runs := comparable(runs)):
        return
    delta = statistics.mode(run.plan.privacy.delta for run in runs)
    table, settings = _settings(_table(runs, delta), axis)
    drawn = charts.drawable(settings, axis)
    settings["best"] = False
    settings.loc[drawn.index, "best"] = forecast.pareto_front(
        drawn[axis].to_numpy(float), drawn["accuracy"].to_numpy()
    )
    several = table[table["setting"].isin(settings["setting"][settings["seeds"] > 1])]
    numbers = table.join(settings[["seeds", "best"]].assign(mean=settings["accuracy"]), on="setting")
    clicked = chart.show(
        charts.frontier(settings, axis, several),
        key=f"frontier_{dataset}",
        label=_(
            "Accuracy against {axis} of {settings} settings on {data}, each the mean over its seeds; {best} of them "
            "are on the Pareto front."
        ).format(
            axis=_(charts.AXES[axis]).lower(), settings=len(drawn), data=dataset, best=int(settings["best"].sum())
        ),
        table=numbers.drop(columns=["plan", "family", "engine", "setting"]),
    )
    fewest, most = settings["seeds"].min(), settings["seeds"].max()
    seeds = fewest if fewest == most else _("{fewest} to {most}").format(fewest=fewest, most=most)
    words = [
        _(
            "Epsilon of one run alone, all at delta {delta}. A marker is a setting: the mean over its seeds "
            "({seeds}), shown as light points where there are several. Filled markers are on the Pareto front: no "
            "other setting is both cheaper and more accurate. A click on a point opens its runs."
        ).format(delta=rounding.given(delta), seeds=seeds)
    ]
    if left_out := len(settings) - len(drawn):
        words.append(_("Not drawn, as they are at 0 or infinity: {settings}.").format(settings=left_out))
    st.caption(" ".join(words))
    if clicked:
        run_list.open_run(clicked)


def _table(runs: list[Run], delta: float) -> pd.DataFrame:
    """Returns one row per run."""
    families = list(dict.fromkeys(map(forecast.family, runs)))
    rows = []
    for run, epsilon in zip(runs, _epsilons(runs, delta), strict=True):
        privacy, seed = run.plan.privacy, run.plan.training.seed
        rows.append(
            {
                "run": run.run_id,
                "plan": live.label(run),
                "family": families.index(forecast.family(run)),
                "engine": run.engine,
                "mechanism": mechanisms.label(privacy),
                "noise": privacy.noise_multiplier,
                "clients": privacy.clients_per_round,
                "rounds": privacy.rounds,
                "ratio": forecast.ratio(privacy),
                # Without a seed, each run draws what no other does.
                "seed": _("none ({run})").format(run=run.run_id) if seed is None else str(seed),
                "epsilon": _as_read(epsilon),
                "minutes": run.seconds / 60,
                "accuracy": run.accuracy,
            }
        )
    return pd.DataFrame(rows)


def _settings(table: pd.DataFrame, axis: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns `_table` with the number of each run's setting, and one row per setting."""
    by = ["family", "mechanism", "noise", "clients", "rounds", "ratio"]
    if axis == "minutes":  # of which another engine takes more
        by.append("engine")
    table = table.assign(setting=table.groupby(by).ngroup())
    settings = forecast.means_over_seeds(table, ["setting", *by])
    alone = table.drop_duplicates("setting").set_index("setting")["plan"]
    several = _("noise {noise} · {clients} clients · {rounds} rounds")
    if table["mechanism"].nunique() > 1:
        several = _("noise {noise} · {clients} clients · {rounds} rounds · {mechanism}")
    settings["plan"] = [
        alone[row["setting"]]
        if row["seeds"] == 1
        else several.format(**row | {"noise": rounding.noise(row["noise"])})
        for row in settings.to_dict("records")
    ]
    return table, settings


def ask(store: StoreAccess, dataset: str, runs: list[Run]) -> None:
    """Answers what accuracy an epsilon allows, and at how many clients, from the runs that there are."""
    families: dict[tuple, list[Run]] = {}
    for run in comparable(runs):
        families.setdefault(forecast.family(run), []).append(run)
    if not families:
        return
    members = max(families.values(), key=len)
    ways = {_name(run.plan.privacy): run for run in members}
    left, right = st.columns([2, 3], gap="large")
    with left, st.container(border=True):
        like = ways[_way(ways)]
        epsilon = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
        delta = controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True)
        rounds = controls.knob(limits.ROUNDS, low=1, high=1000, logarithmic=True)
        with controls.explain():
            limits.TARGET_EPSILON.check(epsilon)
            wanted = replace(
                like.plan.privacy, noise_multiplier=0.0, delta=delta, rounds=rounds, adjacency=ADD_OR_REMOVE
            )
    with right:
        known = _reached(store, members, rounds, delta)
        table = _predicted(wanted, known, epsilon)
        if table is None:
            states.nothing_yet(
                _(
                    "A prediction needs at least three finished runs with different noise-to-clients ratios that "
                    "reached round {rounds}, and an epsilon that some number of clients reaches."
                ).format(rounds=rounds),
                icon=":material/query_stats:",
                to=("study", "train"),
            )
            return
        own = known[known["mechanism"] == _name(wanted)]
        clients = _answer(dataset, table, own, population=wanted.population)
    _try_it(store, like, wanted, epsilon, clients, known)


def _name(plan: PrivacyPlan) -> str:
    """What links call a plan's way to form cohorts, with its noise: the same whatever its clients and rounds."""
    parts = codec.tagged(plan.cohorts), codec.tagged(plan.noise)
    return "-".join(f"{value}" for part in parts for value in part.values() if value is not None)


def _way(ways: dict[str, Run]) -> str:
    """Asks which way to form cohorts, and which noise, a prediction is for, where runs have several."""
    if len(ways) == 1:
        return next(iter(ways))
    labels = {name: mechanisms.label(run.plan.privacy) for name, run in ways.items()}
    return choices.linked(
        st.selectbox,
        _("Cohorts and noise"),
        list(ways),
        format_func=labels.__getitem__,
        key="mechanism",
        stays=True,
        help=_(
            "How the new plan forms its cohorts, and what noise it adds. All runs are what the prediction is based on."
        ),
    )


def _predicted(wanted: PrivacyPlan, known: pd.DataFrame, epsilon: float) -> pd.DataFrame | None:
    """Returns the accuracy that is predicted at each number of clients; `None` where too few runs are known."""
    clients = np.unique(np.geomspace(min(10, wanted.population), wanted.population, 30).round().astype(int))
    noise = _noise_for(wanted, clients, epsilon)
    possible = np.isfinite(noise)
    factor = replace(wanted, noise_multiplier=1.0).path_noise  # what a multiplier comes to on the model's path
    found = _forecast(
        known["ratio"].to_numpy(), known["accuracy"].to_numpy(), factor * noise[possible] / clients[possible]
    )
    if found is None or not found.inside.any():
        return None
    return pd.DataFrame(
        {
            "clients": clients[possible],
            "noise": [float(rounding.noise_needed(least)) for least in noise[possible]],
            "rounds": wanted.rounds,
            "epsilon": epsilon,  # at most
            "delta": wanted.delta,
            "accuracy": found.accuracy,
            "low": found.low,
            "high": found.high,
            "inside": found.inside,
        }
    )


def _answer(dataset: str, table: pd.DataFrame, known: pd.DataFrame, *, population: int) -> int:
    """Shows what a prediction comes to; returns from how many clients on more of them hardly help."""
    epsilon, rounds = float(table["epsilon"].iloc[0]), int(table["rounds"].iloc[0])
    near = known[(known["epsilon"].between(0.75 * epsilon, 1.05 * epsilon)) & (known["rounds"] == rounds)]
    between = table[table["inside"]]
    top = between[between["accuracy"] >= between["accuracy"].max() - 0.01].iloc[0]
    beyond = table[(table["clients"] > top["clients"]) & ~table["inside"]]
    words = _(
        "At epsilon {epsilon} and {rounds} rounds: about {accuracy:.0%} ({low:.0%} to {high:.0%}), from "
        "{clients:,} clients per round on, at noise {noise}."
    ).format(
        epsilon=rounding.given(epsilon),
        rounds=rounds,
        accuracy=top["accuracy"],
        low=top["low"],
        high=top["high"],
        clients=int(top["clients"]),
        noise=rounding.noise_needed(top["noise"]),  # less would not keep to the epsilon
    )
    more = _("More clients may raise it further: no run has had so small an effective noise.")
    no_more = _("More clients raise it by at most one percentage point.")
    if table["clients"].max() < population:  # of all users, no cohort can be formed so
        no_more = ""
    st.markdown(f"**{words}** {more if len(beyond) else no_more}")
    chart.show(charts.forecast(table, near), key=f"predicted_{dataset}", label=words, table=table)
    return int(top["clients"])


def _epsilons(runs: list[Run], delta: float) -> list[float]:
    """What runs have spent, at one delta for all, by the coarser grid where that is not the run's own."""
    own, others = ([run for run in runs if (run.plan.privacy.delta == delta) is same] for same in (True, False))
    found = dict(zip((run.run_id for run in own), budget.epsilons_alone(own), strict=True))
    for run in others:
        found[run.run_id] = accounting.epsilon(replace(run.charged, delta=delta), Precision.PREVIEW).value
    return [found[run.run_id] for run in runs]


def _as_read(epsilon: float) -> float:
    """An epsilon as it is written: what no reader can tell apart costs the same."""
    return float(rounding.epsilon(epsilon).replace(",", "").replace("∞", "inf"))


def _reached(store: StoreAccess, runs: list[Run], rounds: int, delta: float) -> pd.DataFrame:
    rows, evaluated = [], store.evaluations()
    for run, epsilon in zip(runs, _epsilons(runs, delta), strict=True):
        accuracy = forecast.accuracy_between(evaluated.get(run.run_id, []), rounds)
        if accuracy is not None:
            privacy = run.plan.privacy
            rows.append(
                {
                    "mechanism": _name(privacy),
                    "ratio": forecast.ratio(privacy, rounds),
                    "clients": privacy.clients_per_round,
                    "rounds": privacy.rounds,
                    "epsilon": epsilon,
                    "accuracy": accuracy,
                }
            )
    return pd.DataFrame(rows, columns=["mechanism", "ratio", "clients", "rounds", "epsilon", "accuracy"])


def _try_it(store: StoreAccess, like: Run, wanted, epsilon: float, clients: int, known: pd.DataFrame) -> None:
    """One click that runs the plan in question, with what was expected of it in its note."""
    one, two = st.columns([2, 3], gap="large")
    with one:
        count = controls.count(
            _("Clients per round"),
            low=1,
            high=wanted.population,
            default=clients,
            key=f"try_{clients}",
            help=_(
                "The expected size of a cohort, 1 to {population:,}. The noise multiplier follows from it and "
                "epsilon."
            ).format(population=wanted.population),
        )
    with two, controls.explain(), turns.turn(turns.SOON):
        # On the coarser grid, which gives an upper bound as well: what is shown is what is run.
        privacy = _solve(
            replace(wanted, clients_per_round=count),
            "noise",
            target_epsilon=epsilon,
            accountant="pld",
            precision=Precision.PREVIEW,
        )
        plan = replace(like.plan, privacy=privacy)
        allowed = ledger.after(store, plan, Precision.PREVIEW)
    tip = _("Queues the run, and writes the prediction into its note.")
    label = _("Run it, and compare with the prediction")
    if not one.button(label, key="try", help=tip, disabled=not allowed):
        return
    with controls.explain():
        expected = _forecast(
            known["ratio"].to_numpy(), known["accuracy"].to_numpy(), np.array([forecast.ratio(privacy)])
        )
        assert expected is not None  # with too few runs nothing is asked here
        run_id = supervisor.start(store, plan, engine=like.engine, eval_every=like.eval_every)
        store.describe(
            run_id,
            note=_(
                "Prediction before the run: accuracy {accuracy:.1%} ({low:.1%} to {high:.1%}), epsilon {epsilon}."
            ).format(
                accuracy=expected.accuracy[0],
                low=expected.low[0],
                high=expected.high[0],
                epsilon=rounding.epsilon(accounting.epsilon(privacy).value),
            ),
        )
    run_list.open_run(run_id)
