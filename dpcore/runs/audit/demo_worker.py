"""The process that trains on an engine that is broken on purpose: `python -m dpcore.runs.audit.demo_worker HOME BREAK`.

It is started with the demonstration's lock held, and holds it as long as it lives. All that it leaves is what the audit
has seen.
"""

import sys
import traceback
from pathlib import Path

from dpcore import limits
from dpcore.errors import EpsilonLabError
from dpcore.language import N_
from dpcore.runs.audit import demo
from dpcore.runs.audit.demo import Demo


def main(home: Path, name: str) -> None:
    """Trains, and writes how far it is and what came of it."""
    try:
        shown = demo.measure(
            home,
            name,
            demo.plan(home),
            canaries=int(limits.CANARIES.default),
            tell=lambda number: demo.write(home, Demo(name=name, round=number)),
        )
    except EpsilonLabError as err:
        demo.write(home, Demo(name=name, message=err.message))
    except Exception as err:
        traceback.print_exc()
        message = N_("It has failed: {reason}.").format(reason=f"{type(err).__name__}: {err}")
        demo.write(home, Demo(name=name, message=message))
    else:
        demo.write(home, Demo(name=name, round=shown.rounds, result=shown))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
