"""Charts of what a plan guarantees: numbers in, plotly figures out. Colours and font come from the page."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes
from dpcore.charts.lines import TITLE_FONT, figure, hover, show_legend
from dpcore.language import _

_FALLING = ("noise_multiplier", "delta")  # with these, epsilon falls
ISO_EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)
_INK = {"color": "black", "width": 2}
_LABEL = {"showarrow": False, "font": {"color": "black", "size": 12}, "bgcolor": "rgba(255,255,255,0.8)"}


def epsilon_against(
    curve: pd.DataFrame, *, x_title: str, point: tuple[float, float], delta: float, logarithmic: bool
) -> go.Figure:
    """Returns epsilon by both accountants against one number of the plan.

    Args:
        curve: The number in the first column, then `PLD` and `RDP`; where PLD has no answer, none is drawn.
        x_title: The number's name.
        point: The plan itself: its number and its epsilon.
        delta: Named in the title of the axis.
        logarithmic: Whether the number is drawn by factors.
    """
    y_title = _("Epsilon (delta {delta})").format(delta=rounding.given(delta))
    chart = figure(x_title, _("Epsilon") if curve.columns[0] == "delta" else y_title)

    def hover_text(name: str, number: float, epsilon: float) -> str:
        at = f"{number:,}" if isinstance(number, int) else rounding.given(number)
        return f"{x_title} {at}, {name}: ε = {rounding.epsilon(epsilon)}"

    top = _top(curve, point[1])
    _add_accountants(chart, curve, hover_text, top=top, logarithmic=logarithmic)
    if np.isfinite(point[1]):
        chart.add_scatter(
            x=[point[0]],
            y=[point[1]],
            mode="markers+text",
            text=[rounding.epsilon(point[1])],
            textposition="bottom left" if curve.columns[0] in _FALLING else "bottom right",  # below the curve
            marker={"size": 12, "symbol": "diamond"},
            name=_("this plan"),
            cliponaxis=False,
            **hover([hover_text(_("this plan"), *point)]),
        )
    chart.update_layout(height=420, margin={"r": 50})
    chart.update_yaxes(rangemode="tozero", range=[0, top])
    x = curve.iloc[:, 0]
    if logarithmic:
        # As of two decades at least: of few users, halves of them would have a tick.
        ticks = axes.factors([*x, 100 * x.min()])
        if curve.columns[0] == "delta":
            ticks = {"exponentformat": "power"}
        chart.update_xaxes(type="log", rangemode="normal", **ticks)
    else:
        chart.update_xaxes(**axes.whole_ticks(x.max()))
    return chart


def _add_accountants(
    chart: go.Figure,
    curve: pd.DataFrame,
    hover_text: Callable[[str, float, float], str],
    *,
    top: float,
    logarithmic: bool,
) -> None:
    """Adds the curve of each accountant, and its name where the curve is last seen, so that no legend has to be read."""
    x = curve.iloc[:, 0]
    for name, dash, up in (("PLD", "solid", -9), ("RDP", "dash", 9)):
        drawn = curve[name].where(np.isfinite(curve[name]))
        chart.add_scatter(
            x=x,
            y=drawn,
            mode="lines",
            name=name,
            line={"dash": dash, "width": 3},
            **hover(hover_text(name, *at) for at in zip(x.tolist(), curve[name], strict=True)),
        )
        seen = drawn[drawn <= top]
        if len(seen):
            end = seen.index[-1]
            left = name == "RDP" and end != drawn.last_valid_index()  # above PLD: it leaves by the top before that
            chart.add_annotation(
                x=np.log10(x[end]) if logarithmic else x[end],
                y=seen[end],
                text=name,
                showarrow=False,
                xanchor="right" if left else "left",
                xshift=-6 if left else 6,
                yshift=up,  # the two may end in the same place
            )


def _top(curve: pd.DataFrame, epsilon: float) -> float:
    """Where the axis ends: a few times the plan's epsilon, so that a steep end does not flatten the rest."""
    largest = np.nanmax(curve[["PLD", "RDP"]].where(np.isfinite, np.nan).to_numpy(), initial=0.1)
    return min(1.1 * largest, 5 * epsilon) if 0 < epsilon < np.inf else 1.1 * largest


def surface(
    clients: np.ndarray, noise: np.ndarray, epsilons: np.ndarray, *, point: tuple[float, float], ratio: float
) -> go.Figure:
    """Returns epsilon over clients and noise, with its iso-lines and that of the plan's noise-to-clients ratio.

    Args:
        clients: Clients per round, ascending, [num_clients].
        noise: Noise multipliers, ascending, [num_noise].
        epsilons: [num_noise, num_clients]; not a number where no plan is.
        point: The plan's clients and noise.
        ratio: The plan's noise over clients.
    """
    chart = figure(_("Clients per round"), _("Noise multiplier"))
    _add_heatmap(chart, clients, noise, epsilons)
    _add_iso_lines(chart, clients, noise, epsilons)
    _add_ratio_line(
        chart, clients, noise, ratio, _("ratio {ratio}").format(ratio=rounding.ratio(point[1], point[0]))
    )
    chart.add_scatter(
        x=[point[0]],
        y=[point[1]],
        mode="markers",
        name=_("this plan"),
        marker={"size": 14, "symbol": "diamond", "color": "white", "line": {"color": "black", "width": 2}},
        **hover(
            [
                _("this plan: {clients:,} clients, noise {noise}").format(
                    clients=int(point[0]), noise=rounding.noise(point[1])
                )
            ]
        ),
    )
    for update, shown in ((chart.update_xaxes, clients), (chart.update_yaxes, noise)):
        ends = shown[[0, -1]]
        update(type="log", rangemode="normal", range=np.log10(ends).tolist(), ticks="", **axes.factors(ends))
    chart.update_layout(height=420, hovermode="closest", margin={"r": 0})
    return chart


def _add_heatmap(chart: go.Figure, clients: np.ndarray, noise: np.ndarray, epsilons: np.ndarray) -> None:
    """Adds the colour of each epsilon, by its logarithm."""
    chart.add_heatmap(
        x=clients,
        y=noise,
        z=np.log10(np.clip(epsilons, 0.01, 100)),
        hovertext=[
            [
                _("{clients:,} clients, noise {noise}: epsilon {epsilon}").format(
                    clients=int(count), noise=rounding.given(z), epsilon=rounding.epsilon(epsilon)
                )
                for count, epsilon in zip(clients, row, strict=True)
            ]
            for z, row in zip(noise, epsilons, strict=True)
        ],
        hoverinfo="text",
        colorscale="Cividis",
        reversescale=True,
        zmin=-1,
        zmax=1.5,
        colorbar={
            "title": {"text": _("epsilon"), "font": TITLE_FONT},
            "tickvals": [-1, 0, 1],
            "ticktext": ["0.1", "1", "10"],
            "thickness": 12,
        },
        name=_("epsilon"),
    )


def _add_iso_lines(chart: go.Figure, clients: np.ndarray, noise: np.ndarray, epsilons: np.ndarray) -> None:
    """Adds a line along which epsilon is the same, for each of `ISO_EPSILONS` that is in the picture."""
    for level in ISO_EPSILONS:
        x, y = _iso_line(clients, noise, epsilons, level)
        if len(x):
            chart.add_scatter(
                x=x,
                y=y,
                mode="lines",
                line=_INK,
                name=_("epsilon {level}").format(level=rounding.given(level)),
                hoverinfo="skip",
            )
            chart.add_annotation(
                x=np.log10(x[len(x) // 3]),
                y=np.log10(y[len(x) // 3]),
                text=f"ε = {rounding.given(level)}",
                **_LABEL,
            )


def _add_ratio_line(chart: go.Figure, clients: np.ndarray, noise: np.ndarray, ratio: float, label: str) -> None:
    """Adds the line along which the noise over the clients is `ratio`, as far as it is in the picture."""
    inside = (ratio * clients >= noise[0]) & (ratio * clients <= noise[-1])
    chart.add_scatter(
        x=clients[inside],
        y=ratio * clients[inside],
        mode="lines",
        line={**_INK, "dash": "dash"},
        name=label,
        hoverinfo="skip",
    )
    if inside.any():
        last = clients[inside][-1]
        chart.add_annotation(
            x=np.log10(last), y=np.log10(ratio * last), text=label, xanchor="right", yanchor="bottom", **_LABEL
        )


def _iso_line(
    clients: np.ndarray, noise: np.ndarray, epsilons: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where epsilon is `level`: for each number of clients, the noise between two of the grid's, in logarithms."""
    x, y = [], []
    for column, count in enumerate(clients):
        known = np.isfinite(epsilons[:, column]) & (epsilons[:, column] > 0)
        falling = np.log(epsilons[known, column])[::-1]
        if len(falling) and falling[0] <= np.log(level) <= falling[-1]:
            x.append(count)
            y.append(np.exp(np.interp(np.log(level), falling, np.log(noise[known])[::-1])))
    return np.array(x), np.array(y)


def bound_text(who: str, accused: float, found: float) -> str:
    """Returns what somebody finds at most where they accuse a fraction by mistake, in words beside a chart."""
    words = _("{who}: TPR at most {found} at {accused} FPR")
    return words.format(who=who, found=rounding.percent(found), accused=rounding.given_percent(accused))


def trade_off(curve: pd.DataFrame, *, point: tuple[float, float]) -> go.Figure:
    """Returns what attacks find against whom they accuse by mistake.

    Args:
        curve: Columns `wrongly accused`, `found` and `found by one pair alone`, all fractions.
        point: The rates that are spoken of.
    """
    found = figure(_("False-positive rate (FPR)"), _("True-positive rate (TPR)"))
    x = curve["wrongly accused"]

    def draw(name: str, accused: Iterable[float], rates: Iterable[float], **how) -> None:
        found.add_scatter(
            x=accused,
            y=rates,
            name=name,
            **how,
            **hover(bound_text(name, *at) for at in zip(accused, rates, strict=True)),
        )

    draw(_("optimal attack"), x, curve["found"], mode="lines", line={"width": 3})
    draw(_("worst case for (ε, δ)-DP"), x, curve["found by one pair alone"], mode="lines", line={"dash": "dash"})
    draw(_("random guessing"), x, x, mode="lines", line={"dash": "dot"})
    marker = {"size": 12, "symbol": "diamond"}
    draw(_("selected FPR"), [point[0]], [point[1]], mode="markers", marker=marker)
    ticks = axes.factors([*x, point[0]]) | {"tickformat": "~%"}
    found.update_xaxes(type="log", rangemode="normal", **ticks)
    found.update_yaxes(**axes.fractions())
    show_legend(found)
    return found
