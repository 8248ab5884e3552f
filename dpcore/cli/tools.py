"""Commands about the program itself."""

import os
import sys
from typing import Annotated

import typer
from rich.table import Table

from dpcore import home, isolated
from dpcore.cli.options import AsJson, HomeFolder, err, out, print_json, warn


def verify(as_json: AsJson = False) -> None:
    """Prove on this machine that the default engine is TFF's algorithm (some minutes). Exit code 1 if not."""
    if "dpcore.isolated" not in sys.orig_argv:  # once more from the start, in a network of its own
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        again = sys.orig_argv[sys.orig_argv.index("-m") + 1 :]
        os.execv(sys.executable, [sys.executable, "-m", "dpcore.isolated", *again])
    from dpcore.learning import verification  # TensorFlow: seconds, and no other command here needs it

    warn(isolated.problem())
    table = Table("check", "measured", "at most", "")
    failures = 0
    for check in verification.checks():
        failures += not check.passed
        verdict = "passed" if check.passed else "FAILED"
        if as_json:
            print_json(**vars(check), passed=check.passed)
        else:
            err.print(f"{verdict} {check.name}", highlight=False)
        table.add_row(check.name, f"{check.measured:.2g}", f"{check.limit:.2g}", verdict)
    if not as_json:
        out.print(table)
    raise typer.Exit(int(failures > 0))


def serve(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the dashboard listens, on this machine only.")
    ] = 8501,
    home_folder: HomeFolder = None,
) -> None:
    """Start the dashboard."""
    from dpcore.ui import serve as server  # Streamlit: not needed by any other command

    server.run(port, home.folder(home_folder))
