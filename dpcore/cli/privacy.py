"""Commands that need no data: what a plan guarantees, and which plan guarantees enough."""

from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from dpcore import home, limits, rounding
from dpcore.cli import options
from dpcore.cli.options import out, print_json, takes_plan, warn
from dpcore.errors import InvalidValueError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, assumptions, calibration
from dpcore.privacy import statement as words
from dpcore.privacy.accounting import Account
from dpcore.privacy.risk import rate_from_pair, risk, why_unbounded

_UNKNOWNS = {name: name.replace("_", "-") for name in calibration.UNKNOWNS if name != "clients_at_noise"}
Unknown = StrEnum("Unknown", _UNKNOWNS)  # type: ignore[misc]  # not written out
Held = StrEnum("Held", ["ratio", "noise"])


def plan_values(
    plan: PrivacyPlan, accountant: str | None, *, false_positive_rate: float, prior: float = limits.PRIOR.default
) -> dict:
    """Every number that the Accountant page shows of a plan."""
    rate, prior = limits.FALSE_POSITIVE_RATE.check(false_positive_rate), limits.PRIOR.check(prior)
    account = accounting.account(plan)
    chosen = account.answer_of(accountant) if accountant else account.headline
    pattern = plan.cohorts.pattern(plan.fleet)
    return {
        "epsilon": chosen.value,
        "delta": plan.delta,
        "accountant": chosen.accountant,
        "noise_multiplier": plan.noise_multiplier,
        "clients_per_round": plan.clients_per_round,
        "rounds": plan.rounds,
        "population": plan.population,
        "noise_to_clients_ratio": plan.noise_multiplier / plan.clients_per_round,
        "sampling": plan.cohorts.sampling,
        "participation": plan.cohorts.kind,
        "max_participations": pattern.participations,
        "min_separation": pattern.separation,
        "noise": plan.noise.kind,
        "bands": getattr(plan.noise, "bands", None),
        "sensitivity": plan.sensitivity,
        "sampling_prob": plan.sampling_prob,
        "adjacency": plan.adjacency,
        "clipping": asdict(plan.clipping),
        "value_noise_multiplier": plan.value_noise_multiplier,
        "clipped_count_stddev": plan.clipped_count_stddev,
        "zeroing": plan.zeroing,
        "pld": {
            "epsilon": account.pld.value if account.pld else None,
            "grid": account.pld.grid if account.pld else None,
            "problem": account.pld_problem,
            "note": account.pld.note if account.pld else "",
        },
        "rdp": {"epsilon": account.rdp.value, "order": account.rdp.order, "warning": account.rdp.warning},
        "epsilon_without_amplification": None
        if words.uncovered_part(plan)
        else accounting.without_amplification(plan),
        "risk": {"false_positive_rate": rate, "prior": prior, **_attack(plan, account, rate, prior)},
        "assumptions": [_assumption(one) for one in assumptions.of(plan)],
        "warnings": list(plan.warnings),
        "made_with": accounting.VERSION,
    }


def _assumption(one: assumptions.Assumption) -> dict:
    return {
        "participation": one.plan.cohorts.kind,
        "noise": one.plan.noise.kind,
        "epsilon": one.epsilon,
        "adjacency": one.plan.adjacency,
        "asks": one.asks,
    }


def _attack(plan: PrivacyPlan, account: Account, rate: float, prior: float) -> dict:
    """What the optimal attack achieves; nothing, and why, where the plan's epsilon does not cover all of a run."""
    best = risk(plan)
    found = {
        "advantage": best.advantage,
        "true_positive_rate": float(best.true_positive_rate(rate)),
        "true_positive_rate_from_pair": rate_from_pair(account.headline.value, plan.delta, rate),
        "posterior": best.posterior(prior, rate),
        "best_guess": best.best_guess(prior),
    }
    why = why_unbounded(plan)
    return {**(dict.fromkeys(found) if why and plan.zeroing else found), "because": why}


def _show(values: dict, plan: PrivacyPlan, as_json: bool) -> None:
    warn(*plan.warnings, values["rdp"]["warning"] if values["accountant"] == "rdp" else "")
    if as_json:
        print_json(**values)
        return
    pld, rdp, known = values["pld"], values["rdp"], values["epsilon_without_amplification"]
    out.print(words.sentence(plan, values["epsilon"]))
    out.print(pld["problem"] or f"Epsilon by PLD: {rounding.epsilon(pld['epsilon'])}")
    order = f" (order {rounding.given(rdp['order'])})" if rdp["order"] else ""
    out.print(f"Epsilon by RDP{order}: {rounding.epsilon(rdp['epsilon'])}")
    unamplified = "not stated" if known is None else rounding.epsilon(known)
    out.print(f"Epsilon without amplification by sampling: {unamplified}")
    out.print(words.attack_sentence(plan, risk(plan), values["risk"]["false_positive_rate"]))
    if pld["note"]:
        out.print(pld["note"])


@takes_plan()
def account(
    make_plan: Callable[..., PrivacyPlan],
    accountant: options.Accountant = None,
    false_positive_rate: options.FalsePositiveRate = limits.FALSE_POSITIVE_RATE.default,
    prior: Annotated[float, options.option(limits.PRIOR)] = limits.PRIOR.default,
    as_json: options.AsJson = False,
) -> None:
    """What one plan guarantees: epsilon by both accountants, and what attacks achieve."""
    plan = make_plan()
    values = plan_values(plan, accountant, false_positive_rate=false_positive_rate, prior=prior)
    _show(values, plan, as_json)


Solve = Annotated[
    Unknown | None,
    typer.Option(help="The value to solve for; all others are held.", show_default="clients"),
]
Hold = Annotated[
    Held, typer.Option(help="For clients: hold the noise-to-clients ratio, as the tutorial does, or the noise.")
]
TargetEpsilon = Annotated[
    float | None,
    typer.Option(help=limits.TARGET_EPSILON.help, show_default=rounding.given(limits.TARGET_EPSILON.default)),
]
NoiseToClientsRatio = Annotated[float, options.option(limits.NOISE_TO_CLIENTS_RATIO)]
TruePositiveRate = Annotated[
    float | None,
    typer.Option(help="Solve for the noise multiplier at which the TPR is at most this, instead of an epsilon."),
]


@takes_plan("sampling", "participation", "noise", "bands")
def calibrate(
    make_plan: Callable[..., PrivacyPlan],
    participation: options.ParticipationChoice = None,
    noise: options.NoiseChoice = options.Noise("independent"),  # noqa: B008  # a member
    bands: options.Bands = None,
    sampling: options.SamplingChoice = None,
    solve: Solve = None,
    hold: Hold = Held.ratio,
    target_epsilon: TargetEpsilon = None,
    noise_to_clients_ratio: NoiseToClientsRatio = limits.NOISE_TO_CLIENTS_RATIO.default,
    true_positive_rate: TruePositiveRate = None,
    false_positive_rate: options.FalsePositiveRate = limits.FALSE_POSITIVE_RATE.default,
    accountant: options.Accountant = None,
    as_json: options.AsJson = False,
) -> None:
    """The plan that reaches a target, all but one of its numbers held."""
    if true_positive_rate is not None:
        _check_alone(solve, target_epsilon)
        solve = Unknown("noise")
    solve = solve or Unknown("clients")
    forming = options.forming_cohorts(participation, sampling)
    if solve in (Unknown("clients"), Unknown("population")):
        _check_solvable(solve, forming, noise.value, bands)
    at_noise = solve == Unknown("clients") and hold == Held.noise
    unknown = "clients_at_noise" if at_noise else solve.value.replace("-", "_")
    formed = {"participation": options.Participation(forming), "sampling": None, "noise": noise, "bands": bands}
    plan = make_plan(**formed, **calibration.PLACEHOLDERS.get(unknown, {}))
    with options.err.status("Solving: with millions of rounds or users, a minute"):
        if true_positive_rate is not None:
            rates: dict[str, float] = {
                "true_positive_rate": true_positive_rate,
                "false_positive_rate": false_positive_rate,
            }
            found, short = calibration.solution_for_risk(plan, **rates)
            asked: dict[str, Any] = {"solve": unknown, **rates}
        else:
            given: dict[str, Any] = {
                "noise_to_clients_ratio": noise_to_clients_ratio,
                "accountant": (accountant or options.AccountantName("pld")).value,
            }
            target_epsilon = limits.TARGET_EPSILON.default if target_epsilon is None else target_epsilon
            found, short = calibration.solution(plan, unknown, target_epsilon=target_epsilon, **given)
            floor = calibration.lowest_epsilon(plan, unknown, **given)
            asked = {"solve": unknown, "target_epsilon": target_epsilon, "floor": floor}
        values = plan_values(found, accountant, false_positive_rate=false_positive_rate)
    limited = {"limited_by": short and short.sentence, "limited_by_name": short and short.name}
    values = {**values, **asked, **limited}
    if as_json:
        _show(values, found, as_json)
        return
    out.print(
        f"{found.clients_per_round:,} of {found.population:,} clients per round with noise multiplier "
        f"{rounding.given(found.noise_multiplier)}, {found.rounds:,} rounds, delta {rounding.given(found.delta)}:",
    )
    _show(values, found, as_json)
    if short:
        out.print(short.sentence)
    if "floor" in asked:
        out.print(f"Lowest achievable epsilon: {rounding.epsilon(asked['floor'])}")


def _check_solvable(solve: Unknown, forming: str, noise: str, bands: int | None) -> None:
    """Refuses to look for clients or users where they are not free, or others follow from them."""
    if forming == "full":
        raise InvalidValueError(
            "participation",
            f"Expected another participation to solve for {solve}, found full: all users take part in every round, and "
            "there is nothing to find. Choose poisson, or solve for another number.",
        )
    if noise == "banded" and bands is None:
        raise InvalidValueError(
            "bands",
            f"Expected bands to solve for {solve} with banded noise, found none: they would follow from what is looked "
            "for. Give --bands.",
        )


def _check_alone(solve: Unknown | None, target_epsilon: float | None) -> None:
    """Refuses what an attack's rate is asked for together with."""
    if target_epsilon is not None:
        raise InvalidValueError(
            "target_epsilon",
            f"Expected true_positive_rate or target_epsilon, found both, {rounding.given(target_epsilon)} the latter: "
            "the noise multiplier can be solved for by one of them. Leave the other out.",
        )
    if solve not in (None, Unknown("noise")):
        raise InvalidValueError(
            "solve",
            f"Expected solve to be noise where a true_positive_rate is given, found {solve}: no other value is solved "
            "for by attack success. Leave one of them out.",
        )


@takes_plan()
def statement(
    make_plan: Callable[..., PrivacyPlan],
    run: Annotated[str | None, typer.Option(help="A run's id: its plan, and what is known of its data.")] = None,
    false_positive_rate: options.FalsePositiveRate = limits.FALSE_POSITIVE_RATE.default,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """The guarantee as Markdown, with all that should be reported beside it."""
    rate = limits.FALSE_POSITIVE_RATE.check(false_positive_rate)
    if run:
        from dpcore.runs import reporting
        from dpcore.runs.store import Store

        store = Store(home.folder(home_folder))
        text = reporting.markdown(store, store.run(run), false_positive_rate=rate)
    else:
        plan = make_plan()
        account = accounting.account(plan)
        text = words.markdown(plan, account, words.table(plan, account, risk(plan), false_positive_rate=rate))
    if as_json:
        print_json(markdown=text)
    else:
        print(text, end="")
