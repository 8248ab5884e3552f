"""The values of a new study, as they are typed, and the study that they make."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

from dpcore import datasets, limits
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.mechanisms import choices as choices_of_mechanisms
from dpcore.mechanisms.clipping import Clipping
from dpcore.mechanisms.noise import Noise
from dpcore.mechanisms.participation import Participation
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.studies import mechanisms
from dpcore.runs.studies.mechanisms import Mechanism
from dpcore.runs.studies.study import NONE, Study
from dpcore.ui.accountant import plan as plan_controls
from dpcore.ui.core import address, choices, controls
from dpcore.ui.core.parameters import quoted


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What the sweep varies, as it was typed."""

    noises: str
    clients: str
    rounds: str
    seeds: int | None


@dataclass(frozen=True, kw_only=True)
class Method:
    """How models are trained and updates are clipped, as it was typed."""

    rates: str
    server_rates: str
    momenta: str
    epochs: str
    batch_size: int
    clipping: Clipping
    clip_norms: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How cohorts are formed and with what noise, and the delta of the target."""

    participations: list[str]
    noise_kinds: list[str]
    delta: float


def grid() -> Grid:
    noises = _list(
        _("Noise multipliers of the sweep"),
        "0, 0.5, 0.75, 1",
        "noises",
        _("Separated by commas; 0 is the non-private baseline, with which the others are compared."),
    )
    left, right = st.columns(2)
    with left:
        clients = _list(_("Clients per round"), "50", "cohorts", _several_values())
    with right:
        rounds = _list(_("Rounds"), "100", "lengths", _several_values())
    seeds = controls.count(
        _("Seeds per setting"),
        low=int(limits.SEEDS.minimum),
        high=int(limits.SEEDS.maximum),
        default=int(limits.SEEDS.default),
        key=address.key("seeds", float(limits.SEEDS.default)),
        help=_(limits.SEEDS.help),
    )
    return Grid(noises=noises, clients=clients, rounds=rounds, seeds=seeds)


def _several_values() -> str:
    return _("One number, or several separated by commas for a grid.")


def method() -> Method:
    several = _several_values()
    rates = _list(_("Client learning rates"), "0.01", "rates", several)
    server_rates = _list(_("Server learning rates"), "1", "server_rates", several)
    momenta = _list(_("Server momenta"), "0.9", "momenta", several)
    epochs = _list(_("Local epochs"), "1", "epochs", several)
    batch_size = controls.knob(limits.BATCH_SIZE, low=1, high=512, logarithmic=True)
    clipping = plan_controls.clipping_control(plan_controls.CLIP_KNOBS)
    return Method(
        rates=rates,
        server_rates=server_rates,
        momenta=momenta,
        epochs=epochs,
        batch_size=batch_size,
        clipping=clipping,
        clip_norms=_list(
            _("Clip norms of a grid"),
            "",
            "clip_norms",
            _("Several, separated by commas, each in place of the clip norm above; none for that one alone."),
        ),
    )


def compared() -> Compared:
    return Compared(
        participations=_several(
            _("How cohorts are formed"),
            choices_of_mechanisms.PARTICIPATION_BY_KIND,
            "participations",
            _("None is Poisson sampling. Several are compared, each with each kind of noise that goes with it."),
        ),
        noise_kinds=_several(
            _("Kinds of noise"),
            choices_of_mechanisms.NOISE_BY_KIND,
            "noise_kinds",
            _("None is independent noise. Correlated noise goes with a known schedule and fixed clipping."),
        ),
        delta=controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True),
    )


def _several(label: str, kinds: Mapping[str, type[Participation] | type[Noise]], key: str, tip: str) -> list[str]:
    return choices.linked(
        st.pills,
        label,
        list(kinds),
        key=key,
        selection_mode="multi",
        format_func=lambda kind: _(kinds[kind].title),
        help=tip,
    )


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What the study has to reach."""

    final: bool
    target_epsilon: float
    tolerance: float
    accountant: str
    audited: bool


def goal() -> Goal:
    final = st.toggle(
        _("Solve for the clients, and train the final run"),
        True,
        key=address.key("final", True),
        help=_("Otherwise the study ends with the sweep, which may then vary any value."),
    )
    target_epsilon = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
    tolerance = controls.knob(limits.TOLERANCE, low=0.01, high=0.3)
    accountant = plan_controls.accountant_control(
        accounting.ACCOUNTANTS[::-1],
        _("Accountant of the final run"),
        _("The accountant whose epsilon sets the number of clients. RDP needs more clients than PLD."),
    )
    audited = st.toggle(
        _("Audit"),
        key=address.key("audit", False),
        help=_("Measures the mechanism of each run while it trains, by canaries, but for runs without noise."),
    )
    controls.place("audit")
    return Goal(
        final=final, target_epsilon=target_epsilon, tolerance=tolerance, accountant=accountant, audited=audited
    )


def study(
    store: StoreAccess,
    asked: tuple[Grid, Method, Compared, Goal],
    *,
    dataset: str,
    model: str,
    baseline: str,
) -> Study:
    """Returns what was asked; raises as studies and plans do where that cannot be."""
    grid, method, compared, goal = asked
    noises = _numbers(_("Noise multipliers"), grid.noises, float)
    private = functools.partial(
        PrivacyPlan, noise_multiplier=0.0, clients_per_round=1, delta=compared.delta, clipping=method.clipping
    )
    plan = datasets.plan_on(dataset, store.home, private, model=model, batch_size=method.batch_size)
    clients = _numbers(_("Clients per round"), grid.clients, _whole)
    rounds = _numbers(_("Rounds"), grid.rounds, _whole)
    privacy, varied = _mechanisms(compared, plan.privacy, clients[0], rounds[0])
    return Study(
        plan=replace(plan, privacy=privacy),
        noise_multipliers=tuple(noise for noise in noises if noise or baseline != NONE),
        clients_per_round=clients,
        rounds=rounds,
        client_learning_rates=_numbers(_("Client learning rates"), method.rates, float),
        server_learning_rates=_numbers(_("Server learning rates"), method.server_rates, float),
        server_momenta=_numbers(_("Server momenta"), method.momenta, float),
        local_epochs=_numbers(_("Local epochs"), method.epochs, _whole),
        clippings=_clippings(method),
        mechanisms=varied,
        seeds=tuple(range(grid.seeds or 0)),
        tolerance=goal.tolerance,
        target_epsilon=goal.target_epsilon if goal.final else None,
        accountant=goal.accountant,
        baseline=baseline,
        audit=int(limits.CANARIES.default) if goal.audited else None,
    )


def _clippings(method: Method) -> tuple[Clipping, ...]:
    """Returns the way to clip with each clip norm of the grid."""
    if not method.clip_norms.strip():
        return (method.clipping,)
    norms = _numbers(_("Clip norms of a grid"), method.clip_norms, float)
    return tuple(replace(method.clipping, **{method.clipping.begins_at: norm}) for norm in norms)


def _mechanisms(
    chosen: Compared, plan: PrivacyPlan, clients: int, rounds: int
) -> tuple[PrivacyPlan, tuple[Mechanism, ...]]:
    """Returns the plan and the mechanisms of a study, by what was chosen; the plan as it is where nothing was."""
    if not chosen.participations and not chosen.noise_kinds:
        return plan, ()
    first = replace(plan, clients_per_round=clients, rounds=rounds)
    found, refused = mechanisms.combined(
        chosen.participations or ["poisson"], chosen.noise_kinds or ["independent"], first.fleet
    )
    for one in refused:
        st.caption(_("Left out: {reason}").format(reason=one))
    return mechanisms.placed(first, found)


def _list(label: str, default: str, key: str, tip: str) -> str:
    return st.text_input(label, default, limits.MOST_GRID_TEXT, key=address.key(key, default), help=tip)


def _whole(text: str) -> int:
    """Returns a whole number, written as any other: 2e3 as well."""
    number = float(text)
    if not number.is_integer():
        raise ValueError
    return int(number)


def _numbers(label: str, text: str, kind: Callable[[str], float]) -> tuple:
    try:
        found = tuple(kind(part) for part in re.split("[,;、，]", text) if part.strip())
    except ValueError as err:
        message = (
            _("Expected {label} to be whole numbers with commas between, found {text}.")
            if kind is _whole
            else _("Expected {label} to be numbers with commas between, found {text}.")
        )
        raise InvalidValueError(label, message.format(label=label, text=quoted(text))) from err
    if not found:
        raise InvalidValueError(
            label, _("Expected at least one number for {label}, found none.").format(label=label)
        )
    return tuple(dict.fromkeys(found))
