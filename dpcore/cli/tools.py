"""Commands about the program itself."""

import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dpcore import home, isolated, limits
from dpcore.cli.options import AsJson, HomeFolder, err, option, out, print_json, warn
from dpcore.errors import InvalidValueError
from dpcore.hosting import Rules, is_loopback

# What Streamlit needs to sign somebody in by the provider that it calls the default.
_LOGIN = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_NO_LOGIN = (
    "Without --login a visitor is a browser's cookie: whoever deletes it is new, with the full limits again."
)

Login = Annotated[
    Path | None,
    typer.Option(help="Visitors sign in first: a file with Streamlit's [auth] settings (OpenID Connect)."),
]
NoSpare = Annotated[
    bool,
    typer.Option(
        "--no-spare",
        help="Have no worker wait for the next run with all loaded that it needs: its first round then comes seconds "
        "later. None waits either where less than 4 GiB of memory are free.",
    ),
]


def verify(as_json: AsJson = False) -> None:
    """Prove on this machine that the default engine is TFF's algorithm (about a minute). Exit code 1 if not."""
    if "dpcore.isolated" not in sys.orig_argv:  # once more from the start, in a network of its own
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        again = sys.orig_argv[sys.orig_argv.index("-m") + 1 :]
        os.execv(sys.executable, [sys.executable, "-m", "dpcore.isolated", *again])
    from dpcore.learning import verification  # TensorFlow: seconds, and no other command here needs it

    warn(isolated.problem())
    table = Table("check", "measured", "at most", "")
    failures = 0
    for check in verification.run_checks():
        failures += not check.passed
        verdict = "passed" if check.passed else "FAILED"
        if as_json:
            print_json(**vars(check), passed=check.passed)
        else:
            err.print(f"{verdict} {check.name}")
        table.add_row(check.name, f"{check.measured:.2g}", f"{check.limit:.2g}", verdict)
    if not as_json:
        out.print(table)
    raise typer.Exit(int(failures > 0))


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port it listens on.")] = 8501,
    address: Annotated[
        str, typer.Option(help="The address it listens on; 0.0.0.0 is every one of this machine's.")
    ] = "localhost",
    shared: Annotated[
        bool,
        typer.Option(
            "--shared", help="Treat who comes as a visitor on this machine's own address too: behind a proxy."
        ),
    ] = False,
    login: Login = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="A data set that visitors see and train on; once for each. Without: those that are built in."
        ),
    ] = None,
    most_rounds: Annotated[int, option(limits.MOST_ROUNDS)] = int(limits.MOST_ROUNDS.default),
    most_clients: Annotated[int, option(limits.MOST_CLIENTS)] = int(limits.MOST_CLIENTS.default),
    most_queued: Annotated[int, option(limits.MOST_QUEUED)] = int(limits.MOST_QUEUED.default),
    most_minutes: Annotated[int, option(limits.MOST_MINUTES)] = int(limits.MOST_MINUTES.default),
    most_sessions: Annotated[int, option(limits.MOST_SESSIONS)] = int(limits.MOST_SESSIONS.default),
    no_spare: NoSpare = False,
    home_folder: HomeFolder = None,
) -> None:
    """Start the dashboard: for this machine alone, or with an address of its network for a class.

    Visitors look at all runs and queue their own, within the limits below; they change nothing that is another's.
    """
    given = home.folder(home_folder)
    _check_data(data or [], given)
    rules = Rules(
        most_rounds=most_rounds,
        most_clients=most_clients,
        most_queued=most_queued,
        most_minutes=most_minutes,
        data=tuple(data or ()),
    )
    limits.MOST_SESSIONS.check(most_sessions)
    _check_login(login)
    from dpcore.ui.server import serve as server  # Streamlit: not needed by any other command

    if not (shared or login) and is_loopback(address):
        server.run(port, given, address, spare=not no_spare)
        return
    if login is None:
        warn(_NO_LOGIN)
    server.run_shared(
        port, given, address, rules=rules, login=login, most_sessions=most_sessions, spare=not no_spare
    )


def _check_data(names: list[str], folder: Path) -> None:
    if names:
        from dpcore import datasets  # SciPy: an eighth of a second, while somebody waits

        for name in names:
            datasets.check_name(name, folder)


def _check_login(file: Path | None) -> None:
    """Says what a file of `--login` lacks, before anybody finds that they cannot sign in."""
    if file is None:
        return
    try:
        settings = tomllib.loads(file.read_text()).get("auth", {})
    except (OSError, ValueError) as problem:
        raise InvalidValueError("login", f"Expected a TOML file with an [auth] section: {problem}.") from problem
    missing = [name for name in _LOGIN if not isinstance(settings, dict) or not settings.get(name)]
    if missing:
        raise InvalidValueError(
            "login", f"Expected {file} to have an [auth] section with {', '.join(_LOGIN)}; {missing[0]} is missing."
        )
    if not str(settings["redirect_uri"]).endswith("/oauth2callback"):
        raise InvalidValueError(
            "login", f"Expected redirect_uri to end in /oauth2callback, found {settings['redirect_uri']}."
        )
