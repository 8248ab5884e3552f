"""The tutorial's method: how much noise does a model bear, and how many clients make that noise private enough?

A sweep over noise at a small cohort shows what the model bears. Its noise on the average, z / clients, is held while
the clients are raised until the wanted (epsilon, delta) is reached; that plan is trained, and compared with the
noise-free one. Source: the TensorFlow Federated tutorial "Differential Privacy in TFF"; the scaling argument is that of
McMahan et al. (2018), <https://arxiv.org/abs/1710.06963>, section 3.
"""

import functools
import itertools
import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from scipy.optimize import nnls

from dpcore import limits
from dpcore.errors import EpsilonLabError, InvalidValueError, StoreError, StudyNotFoundError
from dpcore.learning import engines
from dpcore.locks import lock
from dpcore.plan import AdaptiveClipping, FixedClipping, Plan, PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.statement import epsilon_text, rehearsal
from dpcore.runs import supervisor
from dpcore.runs.store import Run, Store, StudyRow

SWEEP, FINAL = "sweep", "final"
_VERSION = 1
_SEEDS_TO_SAY = 4
_ENOUGH = 5  # rounds that say how long a round takes
# Seconds a round and a client more, on two cores with the tutorial's model: benchmarks/README.md.
_ASSUMED = {"vectorized": (0.06, 0.0007), "tff": (0.1, 0.0023)}


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study asks. All of `plan` is held but for what the grid sets.

    Attributes:
        plan: What all its runs share, and the delta of the target.
        noise_multipliers: The sweep; with 0, the noise-free run that others are held against.
        clients_per_round: Cohort sizes.
        rounds: Numbers of rounds.
        client_learning_rates: Steps of a user's own SGD.
        clippings: Ways to clip.
        seeds: Each setting is trained once with each.
        tolerance: How far below the noise-free accuracy a setting may lie, as a fraction of all test examples.
        target_epsilon: What the final run must keep to; `None` for a grid without one.
        accountant: Which accountant's number of clients the final run takes.
        engine: What trains.
        eval_every: Rounds between two evaluations.

    Raises:
        InvalidValueError: If a plan of the grid is refused, or there is no noise-free run to compare a final run with.
    """

    plan: Plan
    noise_multipliers: tuple[float, ...] = (0.0, 0.5, 0.75, 1.0)
    clients_per_round: tuple[int, ...] = (50,)
    rounds: tuple[int, ...] = (100,)
    client_learning_rates: tuple[float, ...] = (0.01,)
    clippings: tuple[AdaptiveClipping | FixedClipping, ...] = (AdaptiveClipping(),)
    seeds: tuple[int, ...] = (0,)
    tolerance: float = limits.TOLERANCE.default
    target_epsilon: float | None = limits.TARGET_EPSILON.default
    accountant: str = "rdp"
    engine: str = engines.NAMES[0]
    eval_every: int = int(limits.EVAL_EVERY.default)

    def __post_init__(self):
        limits.TOLERANCE.check(self.tolerance)
        limits.check_choice("accountant", self.accountant, accounting.ACCOUNTANTS)
        engines.check_name(self.engine)
        if not self.grid():
            raise InvalidValueError("noise_multipliers", "Expected at least one run in the study, found none.")
        if self.target_epsilon is None:
            return
        limits.TARGET_EPSILON.check(self.target_epsilon)
        if 0.0 not in self.noise_multipliers or max(self.noise_multipliers) == 0:
            raise InvalidValueError(
                "noise_multipliers",
                "Expected the noise 0 and at least one more to compare with it, found "
                f"{', '.join(f'{noise:g}' for noise in self.noise_multipliers)}.",
            )
        if len(self.grid()) != len(self.noise_multipliers) * len(self.seeds):
            raise InvalidValueError(
                "clients_per_round",
                "Expected one number of clients and of rounds, one learning rate and one way to clip where a final run "
                "is wanted, found several: which of them should it take? Leave the target out, or choose one of each.",
            )

    def grid(self) -> list[Plan]:
        """Returns the plans of the sweep, each once, in the order in which they are trained."""
        plans = [
            replace(
                self.plan,
                privacy=replace(
                    self.plan.privacy,
                    noise_multiplier=noise,
                    clients_per_round=clients,
                    rounds=rounds,
                    clipping=clipping,
                ),
                training=replace(self.plan.training, client_learning_rate=rate, seed=seed),
            )
            for seed, clients, rounds, rate, clipping, noise in itertools.product(
                self.seeds,
                self.clients_per_round,
                self.rounds,
                self.client_learning_rates,
                self.clippings,
                self.noise_multipliers,
            )
        ]
        return list(dict.fromkeys(plans))

    def to_json(self) -> str:
        """The study as one line of JSON: equal studies give equal text."""
        values = asdict(self) | {"plan": json.loads(self.plan.to_json()), "version": _VERSION}
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Study":
        """Reads what `to_json` wrote, checking every value again.

        Raises:
            InvalidValueError: If it is not such a text, or comes from a newer version.
        """
        try:
            values = json.loads(text)
            if values.pop("version") != _VERSION:
                raise InvalidValueError("study", f"Expected a study of version {_VERSION}; update the program.")
            values["plan"] = Plan.from_json(json.dumps(values["plan"]))
            values["clippings"] = [
                (FixedClipping if "clip_norm" in one else AdaptiveClipping)(**one) for one in values["clippings"]
            ]
            return cls(
                **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
            )
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise InvalidValueError("study", f"Expected the JSON of a study: {err}") from err


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the runs of one setting came to that differ in their seed alone.

    Attributes:
        plan: Their plan, with the first one's seed.
        charged: What the one of them was charged with that cost most: with rounds that were drawn again.
        accuracies: The last evaluation of each that has finished.
        missing: How many have not finished.
    """

    plan: Plan
    charged: PrivacyPlan
    accuracies: tuple[float, ...] = ()
    missing: int = 0

    @property
    def mean(self) -> float:
        return statistics.fmean(self.accuracies)

    @property
    def band(self) -> float:
        """Half the range over the seeds; 0 with one seed, which says nothing about chance."""
        return (max(self.accuracies) - min(self.accuracies)) / 2


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a sweep says.

    Attributes:
        settings: All settings that have finished runs, by noise.
        bearable: The largest noise up to which every setting is within the tolerance; `None` where none is,
            or it cannot be told yet.
        complete: Whether all runs have finished.
    """

    settings: list[Setting] = field(default_factory=list)
    bearable: Setting | None = None
    complete: bool = False

    @property
    def baseline(self) -> Setting | None:
        """The noise-free setting."""
        return next((one for one in self.settings if one.plan.privacy.noise_multiplier == 0), None)


def settings(runs: Iterable[Run]) -> list[Setting]:
    """Groups runs by all but their seed; in the order of noise, then of clients."""
    groups: dict[Plan, list[Run]] = {}
    for run in runs:
        groups.setdefault(replace(run.plan, training=replace(run.plan.training, seed=0)), []).append(run)
    found = []
    for members in groups.values():
        done = [run.accuracy for run in members if run.status == "finished" and run.accuracy is not None]
        charged = max(members, key=lambda run: run.redrawn).charged
        found.append(
            Setting(plan=members[0].plan, charged=charged, accuracies=tuple(done), missing=len(members) - len(done))
        )
    return sorted(found, key=lambda one: (one.plan.privacy.noise_multiplier, one.plan.privacy.clients_per_round))


def read(runs: Iterable[Run], tolerance: float) -> Reading:
    """Reads a sweep: the largest noise that costs no more accuracy than the tolerance, and no smaller one does."""
    found = settings(runs)
    done = [one for one in found if one.accuracies]
    complete = bool(found) and all(one.missing == 0 for one in found)
    reading = Reading(settings=done, complete=complete)
    if not complete or reading.baseline is None:
        return reading
    bearable = None
    for one in done:
        if one.mean < reading.baseline.mean - tolerance:
            break
        bearable = one if one.plan.privacy.noise_multiplier > 0 else bearable
    return replace(reading, bearable=bearable)


def differs(one: Setting, other: Setting) -> bool | None:
    """Whether two settings differ by more than their seeds do; `None` with too few seeds to say.

    Where there is no difference, ranges of two seeds miss each other in one case of three, of four in one of forty.
    """
    if min(len(one.accuracies), len(other.accuracies)) < _SEEDS_TO_SAY:
        return None
    return abs(one.mean - other.mean) > one.band + other.band


@functools.lru_cache(maxsize=256)  # a page that polls asks for the same one every two seconds
def final_plan(study: Study, bearable: Setting, accountant: str) -> Plan:
    """Returns the plan with the clients that make the bearable noise on the average private enough.

    Raises:
        UnattainableTargetError: If no number of clients does.
    """
    small = bearable.plan.privacy
    solved = calibration.solve(
        replace(small, **calibration.PLACEHOLDERS["clients"]),
        "clients",
        target_epsilon=study.target_epsilon,
        noise_to_clients_ratio=small.noise_multiplier / small.clients_per_round,
        accountant=accountant,
    )
    return replace(bearable.plan, privacy=solved)


def members(store: Store, row: StudyRow, part: str) -> list[Run]:
    """Returns the runs of a part of a study as they are now; without those in the bin."""
    return [run for run in _attached(store, row, part) if not run.deleted]


def _attached(store: Store, row: StudyRow, part: str) -> list[Run]:
    ids = row.runs.get(part, [])
    return [run for run in supervisor.runs(store, deleted=None) if run.run_id in ids]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A study as it is now.

    Attributes:
        study: What it asks.
        sweep: Its runs over the grid.
        final: Its final runs.
        reading: What the sweep says.
        status: going; paused (by a person); stuck (`message` says why); finished.
        message: What keeps it from going on.
    """

    study: Study
    sweep: list[Run]
    final: list[Run]
    reading: Reading
    status: str
    message: str

    @property
    def runs(self) -> list[Run]:
        return [*self.sweep, *self.final]

    @property
    def finished(self) -> int:
        """How many runs have finished."""
        return sum(run.status == "finished" for run in self.runs)

    @property
    def open(self) -> bool:
        """Whether something may still come by itself."""
        return self.status == "going"

    @property
    def baseline(self) -> Setting | None:
        return self.reading.baseline

    @property
    def result(self) -> Setting | None:
        """The final setting, where all its runs have finished."""
        found = settings(self.final)
        return found[0] if len(found) == 1 and not found[0].missing else None

    @property
    def sentences(self) -> list[str]:
        """What it has found, in words."""
        return _sentences(self)


def look(store: Store, study_id: str) -> Progress:
    """Returns a study as it is now, and queues what it can go on with.

    Raises:
        StudyNotFoundError: If there is none of this id.
    """
    advance(store, study_id)
    for row in store.studies(study_id):
        study = Study.from_json(row.spec)
        sweep, final = members(store, row, SWEEP), members(store, row, FINAL)
        reading = read(sweep, study.tolerance)
        ended = [run for run in [*sweep, *final] if not run.active and run.status != "finished"]
        done = (
            reading.complete and len(sweep) == len(study.grid()) and all(one.status == "finished" for one in final)
        )
        wants_final = study.target_epsilon is not None and reading.bearable is not None
        if done and (final or not wants_final):
            status, message = "finished", ""
            store.set_going(study_id, False)
        elif row.message or ended:
            words = ", ".join(f"{run.run_id} is {run.status}" for run in ended)
            status, message = "stuck", row.message or f"{words}: go on, or look at it on the page Runs."
        else:
            status, message = ("going" if row.going else "paused"), ""
        return Progress(study=study, sweep=sweep, final=final, reading=reading, status=status, message=message)
    raise StudyNotFoundError(f"No study has the id {study_id!r}. List them with: python -m dpcore study list")


def rounds_done(now: Progress) -> tuple[int, int]:
    """Returns how many rounds of a study are done, of how many that are known to come."""
    return (
        sum(run.last_round or 0 for run in now.runs),
        sum(run.plan.privacy.rounds for run in now.runs),
    )


def table(now: Progress) -> list[dict]:
    """Returns a row a setting: its plan's numbers, epsilon, mean accuracy, and how far from the noise-free one."""
    rows = []
    noise_free = {
        _but_noise(one.plan): one
        for one in settings(now.sweep)
        if one.plan.privacy.noise_multiplier == 0 and one.accuracies
    }
    for part, found in ((SWEEP, settings(now.sweep)), (FINAL, settings(now.final))):
        for one in found:
            privacy = one.plan.privacy
            base = now.baseline if part == FINAL else noise_free.get(_but_noise(one.plan))
            difference = one.mean - base.mean if one.accuracies and base is not None else None
            rows.append(
                {
                    "part": part,
                    "noise": privacy.noise_multiplier,
                    "clients": privacy.clients_per_round,
                    "rounds": privacy.rounds,
                    "learning rate": one.plan.training.client_learning_rate,
                    "clipping": _clipping(privacy),
                    "epsilon": accounting.epsilon(one.charged).value,
                    "accuracy": one.mean if one.accuracies else None,
                    "band": one.band if len(one.accuracies) > 1 else None,
                    "difference": difference,
                    "seeds": len(one.accuracies),
                }
            )
    return rows


def _but_noise(plan: Plan) -> Plan:
    """What two settings must share for one to be the other's noise-free run."""
    return replace(
        plan,
        privacy=replace(plan.privacy, noise_multiplier=0.0),
        training=replace(plan.training, seed=0),
    )


def _clipping(plan: PrivacyPlan) -> str:
    return f"fixed {plan.clipping.clip_norm:g}" if isinstance(plan.clipping, FixedClipping) else "adaptive"


def _sentences(now: Progress) -> list[str]:
    study, reading, base = now.study, now.reading, now.baseline
    several = len(study.grid()) != len(study.noise_multipliers) * len(study.seeds)
    if several or not reading.complete or base is None:
        return []
    words = []
    for one in reading.settings:
        if one.plan.privacy.noise_multiplier:
            lost = base.mean - one.mean
            verdict = "within" if lost <= study.tolerance else "beyond"
            words.append(
                f"Noise {one.plan.privacy.noise_multiplier:g}: {one.mean:.3f}, {abs(lost):.3f} "
                f"{'below' if lost >= 0 else 'above'} the noise-free {base.mean:.3f}: {verdict} the tolerance of "
                f"{study.tolerance:g}{_chance(one, base)}."
            )
    if study.target_epsilon is None:
        return words
    if reading.bearable is None:
        return [*words, "No noise of the sweep is within the tolerance: try smaller ones, or tolerate more."]
    privacy = reading.bearable.plan.privacy
    words.append(
        f"The model bears noise {privacy.noise_multiplier:g} at {privacy.clients_per_round} clients: "
        f"{privacy.noise_multiplier / privacy.clients_per_round:g} on the average."
    )
    if (result := now.result) is not None:
        final = result.plan.privacy
        words.append(
            f"{final.clients_per_round} clients at noise {final.noise_multiplier:g} keep that, and reach epsilon "
            f"{epsilon_text(accounting.epsilon(result.charged).value)} at delta {final.delta!r}: accuracy "
            f"{result.mean:.3f}, {result.mean - base.mean:+.3f} against the noise-free one{_chance(result, base)}."
        )
        words.append(" ".join(caveats(now)))
    return words


def caveats(now: Progress) -> list[str]:
    """Returns what the epsilon of the final run does not say, a sentence each."""
    words = ["The sweep, and what else was run on the same users, comes on top: see the ledger."]
    result = now.result
    if result is None:
        return words
    epsilon = accounting.epsilon(result.charged).value
    if epsilon > now.study.target_epsilon:
        words.append(f"Rounds were drawn again: the target of {now.study.target_epsilon:g} is not kept.")
    if len(now.final) > 1:
        words.append(f"The epsilon is that of one of {len(now.final)} final runs, with a seed each: release one.")
    words += [*result.charged.warnings, rehearsal(result.plan.training.seed)]
    return [one for one in words if one]


def _chance(one: Setting, other: Setting) -> str:
    """What can be said of a difference, given the seeds."""
    verdict = differs(one, other)
    if verdict is None:
        return " (too few seeds to say how much of it is chance)"
    return "" if verdict else " (no more than the seeds differ among themselves)"


def start(store: Store, study: Study) -> str:
    """Begins a study, or goes on with the one that asks the same; returns its id."""
    study_id = store.create_study(study.to_json())
    go_on(store, study_id)
    return study_id


def go_on(store: Store, study_id: str) -> None:
    """Lets a study queue its runs again, also those that were stopped or have failed."""
    store.set_going(study_id, True)
    advance(store, study_id, again=True)


def pause(store: Store, study_id: str) -> None:
    """Queues no more runs for a study, and takes out of the queue those that wait."""
    store.set_going(study_id, False)
    for row in store.studies(study_id):
        for run in [*members(store, row, SWEEP), *members(store, row, FINAL)]:
            if run.status == "queued":
                supervisor.stop(store, run.run_id)


def advance(store: Store, study_id: str, *, again: bool = False) -> None:
    """Queues what a study needs and does not have yet; says in its row why it cannot go on.

    Args:
        store: Where it is.
        study_id: Which.
        again: Whether runs that were stopped or have failed are tried again: not by itself, or it would for ever.
    """
    with lock(store.home / "studies.lock", wait=True):
        for row in store.studies(study_id):
            if not row.going:
                return
            try:
                study = Study.from_json(row.spec)
                _queue(store, row, SWEEP, study, study.grid(), again)
                (row,) = store.studies(study_id)
                reading = read(members(store, row, SWEEP), study.tolerance)
                if study.target_epsilon is not None and reading.bearable is not None:
                    final = final_plan(study, reading.bearable, study.accountant)
                    plans = [replace(final, training=replace(final.training, seed=seed)) for seed in study.seeds]
                    _queue(store, row, FINAL, study, plans, again)
            except StoreError:
                raise
            except EpsilonLabError as err:  # no room in the budget, or no number of clients reaches the target
                store.set_going(study_id, False, str(err))


def advance_all(store: Store) -> None:
    """Advances every study that is going: called when a run has ended, and when somebody looks."""
    for row in store.studies():
        if row.going:
            advance(store, row.study_id)


def _queue(store: Store, row: StudyRow, part: str, study: Study, plans: list[Plan], again: bool) -> None:
    """Sees to it that each plan has a run in this part of a study: one that is there already, or a new one."""
    mine = {run.plan: run for run in sorted(_attached(store, row, part), key=lambda run: not run.deleted)}
    usable = {
        run.plan: run.run_id
        for run in sorted(supervisor.runs(store), key=lambda run: run.status == "finished")
        if run.engine == study.engine and (run.active or run.status == "finished")
    }
    for plan in plans:
        there = mine.get(plan)
        if there is not None and not again:
            continue  # also one that somebody threw away: nothing is trained anew that nobody asks for
        if there is not None and not there.deleted and (there.active or there.status == "finished"):
            continue
        if there is not None and not there.deleted and there.status in ("interrupted", "stopped"):
            supervisor.resume(store, there.run_id)
            continue
        if there is not None:
            store.detach(row.study_id, there.run_id)
        run_id = usable.get(plan) or supervisor.start(store, plan, engine=study.engine, eval_every=study.eval_every)
        store.attach(row.study_id, run_id, part)


def seconds(store: Store, plans: Iterable[Plan], engine: str) -> tuple[float, bool]:
    """Returns how long plans will take, and whether that was measured here, on the same data, model and engine.

    A round costs a fixed part and one for each client; both are fitted to the rounds of earlier runs.
    """
    total, measured = 0.0, True
    runs = [*store.runs(), *store.runs(deleted=True)]
    for plan in plans:
        known = [
            (run.plan.privacy.clients_per_round, run.seconds / run.last_round)
            for run in runs
            if run.last_round
            and run.last_round >= _ENOUGH
            and run.engine == engine
            and (run.plan.training.dataset, run.plan.training.model) == (plan.training.dataset, plan.training.model)
        ]
        fixed, per_client = _fit(known) if known else _ASSUMED[engine]
        measured = measured and bool(known)
        total += plan.privacy.rounds * (fixed + per_client * plan.privacy.clients_per_round)
    return total, measured


def _fit(known: list[tuple[int, float]]) -> tuple[float, float]:
    """Seconds a round, and a client more; both at least 0."""
    clients, spent = np.array(known, float).T
    if len(set(clients)) == 1:
        return 0.0, float(np.median(spent) / clients[0])
    (fixed, per_client), _ = nnls(np.stack([np.ones_like(clients), clients], axis=1), spent)
    return float(fixed), float(per_client)
