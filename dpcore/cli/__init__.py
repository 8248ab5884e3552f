"""The same jobs without a browser: `python -m dpcore`.

With --json, standard output is JSON and nothing else; an infinite number is the string "inf".
"""

import typer

from dpcore.cli import data, ledger, privacy, runs, study, tools, train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="User-level differential privacy in federated learning.",
    pretty_exceptions_enable=False,
)
for command in (privacy.account, privacy.calibrate, privacy.statement, train.train, ledger.ledger):
    app.command()(command)
app.add_typer(runs.app, name="runs")
app.add_typer(study.app, name="study")
app.add_typer(data.app, name="data")
for command in (tools.verify, tools.serve):
    app.command()(command)


def main() -> None:
    app(prog_name="python -m dpcore")
