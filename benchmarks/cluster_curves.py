"""Draws `cluster.json` as `cluster.svg`: `python -m benchmarks.cluster_curves` (needs Chromium, which draws it)."""

import json
import shutil
import urllib.parse
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

import benchmarks
from benchmarks.cluster import LINKS
from benchmarks.cluster_model import NAMES, predicted

_HERE = Path(__file__).parent
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito (2008): told apart by colour-blind eyes too
_SYMBOLS = ("circle", "square", "diamond", "cross")


def curves(result: dict) -> go.Figure:
    """Returns two charts: what is measured beside the computing, with the model of it; and more workers by it."""
    costs = np.array([result["costs"][name] for name in NAMES])
    drawn = make_subplots(
        cols=2,
        horizontal_spacing=0.1,
        subplot_titles=(
            "Beside the computing of two workers: measured (points) and by the model (lines)",
            "A round by the model, workers of one core each, 0.25 ms and 1 Gbit/s away",
        ),
    )
    for (delay, rate), colour, symbol in zip(LINKS, _COLOURS, _SYMBOLS, strict=True):
        rows = [
            row
            for row in result["rows"]
            if (row["model"], row["workers"], row["delay_seconds"]) == ("mlp", 2, delay)
        ]
        name = f"{1e3 * delay:g} ms, {8e-6 * rate:g} Mbit/s" if rate else "no line between"
        clients = [row["clients"] for row in rows]
        for seconds, shown in (
            ([row["seconds"] - row["computing_seconds"] for row in rows], {"mode": "markers"}),
            ([predicted(costs, row) - row["computing_seconds"] for row in rows], {"mode": "lines"}),
        ):
            drawn.add_scatter(
                x=clients, y=seconds, name=name, showlegend=shown["mode"] == "markers", **shown,
                marker={"color": colour, "symbol": symbol, "size": 9}, line={"color": colour}, row=1, col=1,
            )  # fmt: skip
    for clients, colour, dash in zip((120, 1000, 20000), _COLOURS, ("solid", "dash", "dot"), strict=False):
        rows = [row for row in result["ahead"] if row["clients"] == clients]
        drawn.add_scatter(
            x=[row["workers"] for row in rows], y=[row["seconds"] for row in rows], mode="lines+markers",
            name=f"{clients:,} clients", line={"color": colour, "dash": dash}, legend="legend2", row=1, col=2,
        )  # fmt: skip
    drawn.update_xaxes(type="log", title="Clients a round", tickvals=[50, 120, 500, 3383], col=1)
    drawn.update_xaxes(type="log", title="Workers", tickvals=[1, 2, 4, 8, 16, 32, 64], col=2)
    drawn.update_yaxes(type="log", title="Seconds", dtick=1)
    drawn.update_layout(
        template="plotly_white", width=1200, height=460, margin={"l": 60, "r": 20, "t": 50, "b": 110},
        legend={"orientation": "h", "y": -0.2, "x": 0}, legend2={"orientation": "h", "y": -0.2, "x": 0.6},
    )  # fmt: skip
    return drawn


def main() -> None:
    parser = benchmarks.options(__doc__)  # there is only one size
    parser.add_argument("--svg", type=Path, default=_HERE / "cluster.svg", help="where the picture goes")
    options = parser.parse_args()
    figure = curves(json.loads((_HERE / "cluster.json").read_text()))
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        page = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page()
        page.add_script_tag(content=get_plotlyjs())
        image = page.evaluate("figure => Plotly.toImage(figure, { format: 'svg' })", json.loads(figure.to_json()))
    options.svg.write_text(urllib.parse.unquote(image.partition(",")[2]) + "\n")


if __name__ == "__main__":
    main()
