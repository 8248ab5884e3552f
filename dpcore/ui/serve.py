"""Starting the dashboard so that its first visitor does not wait."""

import gc
import os
from pathlib import Path

APP = Path(__file__).parents[2] / "app.py"


def run(port: int, home: Path) -> None:
    """Imports what pages import, then serves them on this machine until interrupted."""
    os.environ["EPSILON_LAB_HOME"] = str(home)
    os.chdir(APP.parent)  # where Streamlit looks for .streamlit/
    from streamlit.web.cli import main

    from dpcore.runs import supervisor
    from dpcore.runs.store import Store
    from dpcore.ui import (  # noqa: F401
        answer,
        compare,
        data,
        frontier,
        importing,
        live,
        plan,
        privacy_charts,
        risk,
        run_list,
        study,
    )

    for run_id in supervisor.resume_interrupted(Store(home)):
        print(f"Run {run_id} was interrupted; it goes on.")

    # Streamlit collects garbage after every script run, over every object ever imported: on a polled page
    # that cost six times the work itself. What is here now stays, so leave it out.
    gc.collect()
    gc.freeze()
    main(["run", str(APP), "--server.port", str(port)], standalone_mode=False)
