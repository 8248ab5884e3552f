"""What the opening page says of the tutorial's plan, computed in a process beside: `python -m dpcore.privacy.opening`.

The accountant's libraries take longer to load than a server to start, and on another core they load meanwhile. What they
said is kept for the next start, under a name that is another one as soon as any of what it depends on is; and with a
digest, so that what was damaged is not believed.
"""

import hashlib
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dpcore import files, program
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.accounting import Account, Epsilon
from dpcore.privacy.precision import Precision

_LIBRARIES = ("dp-accounting", "numpy", "scipy")


def cache_path(home: Path) -> Path:
    """Returns where the answers of this program, on these libraries, are kept in a home."""
    depends = " ".join([program.code_digest(), sys.version, *map(version, _LIBRARIES)])
    return home / "opening" / f"{hashlib.sha256(depends.encode()).hexdigest()}.json"


def start_computing(home: Path) -> subprocess.Popen[bytes] | None:
    """Lets the accountant know what is kept, or starts the computation and returns its process."""
    file = cache_path(home)
    return None if _remember(file) else subprocess.Popen([sys.executable, "-m", __name__, home])


def load_answers(home: Path, beside: subprocess.Popen[bytes] | None) -> None:
    """Waits for what `start_computing` has started, and lets the accountant know it; or goes without."""
    if beside is not None and beside.wait() == 0:
        _remember(cache_path(home))


def _remember(file: Path) -> bool:
    try:
        content = files.read_sealed(file)
    except OSError:
        return False
    if content is None:
        return False
    answers = [_account(**answer) for answer in json.loads(content)]
    accounting.cache_answers((*asked, answer) for asked, answer in zip(_asked(), answers, strict=True))
    return True


def _account(rdp: dict[str, Any], pld: dict[str, Any], **more: Any) -> Account:
    return Account(rdp=Epsilon(**rdp), pld=Epsilon(**pld), **more)


def _asked() -> list[tuple[PrivacyPlan, Precision]]:
    """The tutorial's plan, and what it would be without sampling."""
    plan = PrivacyPlan()
    known = replace(plan, population=plan.clients_per_round)
    return [(plan, Precision.PREVIEW), (plan, Precision.REPORTED), (known, Precision.REPORTED)]


def _main(home: Path) -> None:
    file = cache_path(home)
    answers = json.dumps([asdict(accounting.account(plan, precision)) for plan, precision in _asked()]).encode()
    with suppress(OSError):  # in a home that cannot be written to, the next start computes it again
        file.parent.mkdir(parents=True, exist_ok=True)
        for old in file.parent.glob("*.json"):
            old.unlink(missing_ok=True)
        files.write_sealed(file, answers)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
