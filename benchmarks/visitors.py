"""What a class waits: `python -m benchmarks.visitors`, 30 visitors on the Accountant while two runs train.

Each visitor is a connection of its own that speaks Streamlit's protocol as a browser does: it opens the page, and then
moves one control every two seconds (later, if the new number is not there yet); at the
end all of them stay. The wait is from the move to the new epsilon, which is an upper bound by the coarse grid, and where
they stay to the number to keep, which takes its place. Only on the loopback, for a bounded time.
"""

import asyncio
import contextlib
import json
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

import benchmarks
from dpcore import datasets, home, limits
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store

MOST_VISITORS, MOST_SECONDS = 100, 300
EVERY_SECONDS = 2.0
STAY_SECONDS, LATE_SECONDS = 120.0, 30.0
FIRST, TO_KEEP = "to the new epsilon", "to the number to keep, where they stayed"
# What a visitor moves, and where to: the stops of the sliders.
MOVES = {
    limits.NOISE_MULTIPLIER: [round(0.6 + step / 100, 2) for step in range(200)],
    limits.CLIENTS_PER_ROUND: list(range(50, 500)),
    limits.ROUNDS: list(range(20, 500)),
}


class Visitor:
    """One tab on the Accountant, and what its moves have waited."""

    def __init__(self, number: int):
        self.draw = random.Random(number)
        self.widgets: dict[str, WidgetState] = {}
        self.waits: list[float] = []
        self.until_fine: list[float] = []
        self.asked: float | None = None  # when, while the answer has not come

    async def visit(self, url: str, until: float) -> None:
        """Opens the page, and moves its controls until the monotonic clock says so."""
        async with connect(url, subprotocols=["streamlit"], max_size=None, proxy=None) as self.stream:
            self.asked = await self._send()
            await self._listen(until_fine=False)
            self.asked = None
            await asyncio.sleep(self.draw.uniform(0, EVERY_SECONDS))
            while time.monotonic() < until:
                began = self.asked = await self._move()
                self.waits.append(await self._listen(until_fine=False) - began)
                self.asked = None
                # A page that is not left alone is never finished: the next move begins it anew.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(
                        asyncio.get_running_loop().time() + began + EVERY_SECONDS - time.monotonic()
                    ):
                        self.until_fine.append(await self._listen(until_fine=True) - began)
                        await asyncio.sleep(EVERY_SECONDS)
            began = await self._move()  # and at the last point everybody stays
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STAY_SECONDS):
                    self.until_fine.append(await self._listen(until_fine=True) - began)

    def _set(self, label: str, value: float) -> None:
        state = self.widgets[label]
        if state.WhichOneof("value") == "int_value":
            state.int_value = int(value)
        else:
            state.double_value = value

    async def _move(self) -> float:
        knob = self.draw.choice(list(MOVES))
        self._set(f"{knob.label}: exact value", self.draw.choice(MOVES[knob]))
        return await self._send()

    async def _send(self) -> float:
        """Sends where the controls are; returns when."""
        asked = BackMsg()
        asked.rerun_script.page_name = "accountant"
        asked.rerun_script.widget_states.widgets.extend(self.widgets.values())
        began = time.monotonic()
        await self.stream.send(asked.SerializeToString())
        self.begun, self.place = False, None  # what still comes may be of the run before
        return began

    async def _listen(self, *, until_fine: bool) -> float:
        """Returns when the first epsilon of this run of the page came; or the second, at the latest with its end."""
        while True:
            said = ForwardMsg.FromString(await self.stream.recv())
            self.begun = self.begun or said.HasField("new_session")
            if said.HasField("script_finished") and self.begun:
                assert until_fine, "the page ended without an epsilon"
                return time.monotonic()
            element = said.delta.new_element
            is_epsilon = element.HasField("metric") and element.metric.label.startswith("Epsilon by")
            if is_epsilon and self.begun:
                place, self.place = self.place, self.place or said.metadata.delta_path[:]
                if not until_fine or place == said.metadata.delta_path:
                    return time.monotonic()
            if element.HasField("number_input"):
                self._know(element.number_input)

    def _know(self, box: NumberInput) -> None:
        state = WidgetState(id=box.id)
        if box.data_type == box.INT:
            state.int_value = int(box.default)
        else:
            state.double_value = box.default
        self.widgets.setdefault(box.label, state)


@contextlib.contextmanager
def serving(folder: Path):
    """The dashboard as a class has it, on the loopback; yields its process and its port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dpcore", "serve", "--shared", "--port", str(port), "--home", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
                break
            time.sleep(0.1)
        yield psutil.Process(server.pid), port
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def training(store: Store, count: int, population: int):
    """So many runs that train side by side for the block, and have begun to."""
    store.set_parallel_runs(max(1, count))
    privacy = PrivacyPlan(population=population, clients_per_round=50, rounds=100_000, noise_multiplier=0.5)
    plan = Plan(privacy=privacy)
    ids = [supervisor.start(store, plan, engine="vectorized", eval_every=1000) for _ in range(count)]
    try:
        began = time.monotonic()
        while not all(store.run(run_id).last_round for run_id in ids):
            if time.monotonic() - began > MOST_SECONDS:
                raise SystemExit("The runs have not begun. Look at their logs, or free the machine.")
            time.sleep(0.5)
        yield ids
    finally:
        for run_id in ids:
            supervisor.stop(store, run_id, now=True)


async def _visits(visitors: list[Visitor], port: int, seconds: float) -> None:
    url, until = f"ws://localhost:{port}/_stcore/stream", time.monotonic() + seconds
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds + STAY_SECONDS + LATE_SECONDS):
            await asyncio.gather(*(visitor.visit(url, until) for visitor in visitors))
    for visitor in visitors:
        if visitor.asked is not None:  # who never got it has waited all the same
            visitor.waits.append(time.monotonic() - visitor.asked)


def measured(visitors: int, runs: int, seconds: int) -> dict[str, Any]:
    """Returns the figures: seconds waited to each epsilon, to each number to keep; and what it took."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        writers, store = datasets.load("writers", home.folder()), Store(Path(folder))
        (store.home / "datasets").symlink_to(home.folder() / "datasets")  # not generated once more
        with training(store, runs, writers.num_users) as ids, serving(store.home) as (server, port):
            asyncio.run(_visits([Visitor(MOST_VISITORS)], port, 1))  # nobody counts a new server's first visitor
            present = [Visitor(number) for number in range(visitors)]
            before, rounds = server.cpu_times(), sum(store.run(run_id).last_round for run_id in ids)
            began = time.monotonic()
            asyncio.run(_visits(present, port, seconds))
            spent, after = time.monotonic() - began, server.cpu_times()
            rounds = sum(store.run(run_id).last_round for run_id in ids) - rounds
            return {
                FIRST: sorted(wait for visitor in present for wait in visitor.waits),
                TO_KEEP: sorted(wait for visitor in present for wait in visitor.until_fine),
                "seconds": spent,
                "busy": (after.user + after.system - before.user - before.system) / spent,
                "megabytes": server.memory_info().rss / 1e6,
                "rounds": rounds / spent,
            }


def main() -> None:
    asked = benchmarks.options(__doc__, compared=True)
    asked.add_argument("--visitors", type=int, default=30, choices=range(1, MOST_VISITORS + 1), metavar="COUNT")
    asked.add_argument("--seconds", type=int, default=60, choices=range(1, MOST_SECONDS + 1), metavar="SECONDS")
    asked.add_argument("--runs", type=int, default=2, choices=range(0, 9), metavar="COUNT")
    given = asked.parse_args()
    if given.smallest:
        given.visitors, given.seconds, given.runs = 1, 6, 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, whatever ends this
    numbers = {"visitors": given.visitors, "runs": given.runs, "seconds": given.seconds}
    found = measured(**numbers)
    if given.json:
        print(json.dumps(found))
        return
    _tell(f"{given.visitors} visitors, {given.runs} runs, {found['seconds']:.0f} s", found)
    if given.against:
        told = [f"--{name}={number}" for name, number in numbers.items()]
        before = benchmarks.against(given.against, ["visitors", *told])
        _tell("The other program:", before)
        for what in (FIRST, TO_KEEP):
            print(f"{what}: {_median(found[what]) / _median(before[what]):.2f} of it")


def _tell(title: str, found: dict[str, Any]) -> None:
    print(title)
    for what in (FIRST, TO_KEEP):
        waits = found[what] or [float("nan")]
        print(
            f"{what}: {len(found[what])} moves, median {_median(waits):.2f} s, "
            f"95% {waits[int(0.95 * (len(waits) - 1))]:.2f} s, worst {waits[-1]:.2f} s"
        )
    print(f"server: {found['busy']:.0%} of a core, {found['megabytes']:.0f} MB")
    print(f"training: {found['rounds']:.2g} rounds a second in all")


def _median(waits: list[float]) -> float:
    return statistics.median(waits or [float("nan")])


if __name__ == "__main__":
    main()
