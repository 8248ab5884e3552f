"""What a study has found, in sentences and as a table."""

from dataclasses import replace
from typing import Any

from dpcore import rounding
from dpcore.language import N_, _
from dpcore.plan import Plan
from dpcore.privacy import accounting
from dpcore.privacy.statement import assumptions, assumptions_of_each, seed_warning
from dpcore.runs.studies import mechanisms
from dpcore.runs.studies.outcome import Setting, differ, final_answer, settings
from dpcore.runs.studies.progress import Progress
from dpcore.runs.studies.study import FINAL, NONE, OWN, SWEEP, WRITERS, Study


def question(study: Study) -> str:
    """Returns what a study asks."""
    if study.varies_mechanism:
        return _("What is the way in which cohorts are formed, and the kind of noise, worth?")
    return _("How much noise does the model tolerate, and how many clients make it private?")


def table(now: Progress) -> list[dict[str, Any]]:
    """Returns one row per setting: its plan's numbers, its guarantee, mean accuracy, and difference to the baseline."""
    rows, named = [], not all(mechanisms.is_usual(run.plan.privacy) for run in now.runs)
    several_norms = len(now.study.clippings) > 1
    baselines = {_but_seed(one.plan): one for one in settings(now.sweep) if one.accuracies}
    for part, found in ((SWEEP, settings(now.sweep)), (FINAL, settings(now.final))):
        for one in found:
            privacy = one.plan.privacy
            formed = {N_("mechanism"): mechanisms.label(privacy)} if named else {}
            data = {N_("data"): one.plan.training.dataset} if now.study.baseline == WRITERS else {}
            base = now.baseline
            if part == SWEEP and now.study.baseline != NONE:  # of several ways to train, each has its own
                base = baselines.get(_but_seed(now.study.noise_free(one.plan)))
            difference = one.mean - base.mean if one.accuracies and base is not None else None
            rows.append(
                {
                    N_("part"): part,
                    **data,
                    **formed,
                    N_("noise"): privacy.noise_multiplier,
                    N_("clients"): privacy.clients_per_round,
                    N_("rounds"): privacy.rounds,
                    N_("learning rate"): one.plan.training.client_learning_rate,
                    **_varied_training(now.study, one.plan),
                    N_("clipping"): privacy.clipping.details if several_norms else privacy.clipping.label,
                    N_("epsilon"): accounting.epsilon(one.charged).value,
                    N_("delta"): privacy.delta,
                    N_("accuracy"): one.mean if one.accuracies else None,
                    N_("band"): one.band if len(one.accuracies) > 1 else None,
                    N_("difference"): difference,
                    N_("seeds"): len(one.accuracies),
                }
            )
    return rows


def _varied_training(study: Study, plan: Plan) -> dict[str, Any]:
    """Returns what a study varies of the server's steps and the local epochs, as this plan has it."""
    training = plan.training
    varied = {
        N_("server learning rate"): (study.server_learning_rates, training.server_learning_rate),
        N_("server momentum"): (study.server_momenta, training.server_momentum),
        N_("local epochs"): (study.local_epochs, training.local_epochs),
    }
    return {name: value for name, (values, value) in varied.items() if values}


def _but_seed(plan: Plan) -> Plan:
    return replace(plan, training=replace(plan.training, seed=0))


def sentences(now: Progress) -> list[str]:
    """Returns what a study has found, a sentence each; nothing while it cannot be told."""
    end = of_final(now)
    return [*of_sweep(now), *end, *([" ".join(caveats(now))] if end else [])]


def of_sweep(now: Progress) -> list[str]:
    """Returns what the sweep of a study has found, without what its final run tells."""
    study, outcome, base = now.study, now.outcome, now.baseline
    if not outcome.complete or base is None:
        return []
    if study.varies_more_than_noise:
        return _comparison(now, base) if study.varies_mechanism_alone else []
    words = [_verdict(study, one, base) for one in outcome.settings if one is not base]
    if study.target_epsilon is None:
        return words
    if outcome.tolerable is None:
        return [
            *words,
            _(
                "No noise multiplier of the sweep is within the tolerance: try smaller ones, or raise the tolerance."
            ),
        ]
    privacy = outcome.tolerable.plan.privacy
    words.append(
        _(
            "Largest tolerable noise multiplier: {noise} at {clients} clients per round, a noise-to-clients ratio of "
            "{ratio}."
        ).format(
            noise=rounding.noise(privacy.noise_multiplier),
            clients=privacy.clients_per_round,
            ratio=rounding.ratio(privacy.noise_multiplier, privacy.clients_per_round),
        )
    )
    return words


def of_final(now: Progress) -> list[str]:
    """Returns what the final run of a study tells; nothing before it has finished."""
    base, result = now.baseline, now.final_setting
    if base is None or result is None or now.outcome.tolerable is None or not now.outcome.complete:
        return []
    final = result.plan.privacy
    return [
        _(
            "{clients} clients per round with noise multiplier {noise} keep that ratio and reach epsilon "
            "{epsilon} at delta {delta}: accuracy {accuracy:.1%}, {difference:+.1f} points against {base}{chance}."
        ).format(
            clients=final.clients_per_round,
            noise=rounding.noise(final.noise_multiplier),
            epsilon=rounding.epsilon(accounting.epsilon(result.charged).value),
            delta=rounding.given(final.delta),
            accuracy=result.mean,
            difference=100 * (result.mean - base.mean),
            base=baseline_name(now),
            chance=_chance(result, base),
        )
    ]


def conditions(now: Progress) -> list[str]:
    """Returns what the epsilons of `table` hold for, and what they do not cover, a sentence each."""
    study = now.study
    noisy = [run.charged for run in now.runs if run.plan.privacy.noise_multiplier]  # of 0 the table says enough
    words = [*_assumed(now), *dict.fromkeys(words for plan in noisy for words in plan.warnings)]
    if any(seed is not None for seed in study.seeds):
        words.append(
            _(
                "Seeded runs: not for release. Whoever knows a run's seed can recompute its cohorts and noise, and a "
                "guarantee assumes that nobody can. Train a model for release without a seed."
            )
        )
    return words


def _assumed(now: Progress) -> list[str]:
    plans = {
        (run.plan.privacy.clients_per_round, mechanisms.label(run.plan.privacy)): run.plan.privacy
        for run in now.runs
    }
    if all(map(mechanisms.is_usual, plans.values())):
        return [assumptions(now.study.plan.privacy)]
    return [
        assumptions_of_each(now.study.plan.privacy),
        *dict.fromkeys(plan.cohorts.assumption(plan.fleet) for plan in plans.values()),
    ]


def _comparison(now: Progress, base: Setting) -> list[str]:
    """Returns what each way to form cohorts, and each kind of noise, comes to beside the one of the least noise."""
    words = []
    for one in now.outcome.settings:
        shown = _setting(one)
        if one is base:
            words.append(_("{setting}: accuracy {accuracy}, at epsilon {epsilon}.").format(**shown))
            continue
        lost = base.mean - one.mean
        sentence = _(
            "{setting}: accuracy {accuracy}, at epsilon {epsilon}; {lost:.1f} points below {base}{chance}."
        )
        if lost < 0:
            sentence = _(
                "{setting}: accuracy {accuracy}, at epsilon {epsilon}; {lost:.1f} points above {base}{chance}."
            )
        beside = mechanisms.label(base.plan.privacy)
        words.append(sentence.format(**shown, lost=100 * abs(lost), base=beside, chance=_apart(one, base)))
    return words


def _apart(one: Setting, other: Setting) -> str:
    """What the seeds say of a difference, a remark at the end of a sentence."""
    low, high = max(min(one.accuracies), min(other.accuracies)), min(max(one.accuracies), max(other.accuracies))
    if min(len(one.accuracies), len(other.accuracies)) > 1 and low > high:
        return _(" (their ranges over the seeds do not overlap)")
    return _chance(one, other)


def _setting(one: Setting) -> dict[str, Any]:
    accuracy = _("{mean:.1%} ({low:.1%} to {high:.1%} over {seeds} seeds)")
    if len(one.accuracies) == 1:
        accuracy = "{mean:.1%}"
    return {
        "setting": _("{mechanism}, noise {noise}").format(
            mechanism=mechanisms.label(one.plan.privacy), noise=rounding.noise(one.plan.privacy.noise_multiplier)
        ),
        "accuracy": accuracy.format(
            mean=one.mean, low=min(one.accuracies), high=max(one.accuracies), seeds=len(one.accuracies)
        ),
        "epsilon": rounding.epsilon(accounting.epsilon(one.charged).value),
    }


def _verdict(study: Study, one: Setting, base: Setting) -> str:
    """Returns what one noise costs, and whether that is tolerated."""
    lost = base.mean - one.mean
    if lost > study.tolerance:
        words = _(
            "Noise {noise}: {accuracy:.1%}, {lost:.1f} points below {base}: beyond the tolerance of {tolerance} "
            "points{chance}."
        )
    elif lost >= 0:
        words = _(
            "Noise {noise}: {accuracy:.1%}, {lost:.1f} points below {base}: within the tolerance of {tolerance} "
            "points{chance}."
        )
    else:
        words = _(
            "Noise {noise}: {accuracy:.1%}, {lost:.1f} points above {base}: within the tolerance of {tolerance} "
            "points{chance}."
        )
    accuracy = {
        OWN: _("the non-private baseline ({accuracy:.1%})"),
        WRITERS: _("the non-private baseline on the Writers ({accuracy:.1%})"),
        NONE: _("the accuracy at noise {noise} ({accuracy:.1%})"),
    }[study.baseline]
    return words.format(
        noise=rounding.noise(one.plan.privacy.noise_multiplier),
        accuracy=one.mean,
        lost=100 * abs(lost),
        base=accuracy.format(accuracy=base.mean, noise=rounding.noise(base.plan.privacy.noise_multiplier)),
        tolerance=rounding.given(round(100 * study.tolerance, 10)),
        chance=_chance(one, base),
    )


def baseline_name(now: Progress) -> str:
    """Names what the settings of a study are held against; in a sentence about one of them."""
    words = {
        OWN: _("the non-private baseline"),
        WRITERS: _("the non-private baseline on the Writers"),
        NONE: _("the run at noise {noise}"),
    }[now.study.baseline]
    baseline = now.baseline
    return words.format(noise=rounding.noise(baseline.plan.privacy.noise_multiplier) if baseline else "")


def caveats(now: Progress) -> list[str]:
    """Returns what the epsilon of the final run does not say, a sentence each."""
    words = [_("The sweep, and all other runs on the same users, are charged in addition: see the ledger.")]
    result = now.final_setting
    if result is None:
        return words
    if now.study.baseline == WRITERS:
        words.append(
            _(
                "The non-private baseline was trained on other users, the Writers: the difference also reflects the "
                "data."
            )
        )
    epsilon, target = accounting.epsilon(result.charged).value, now.study.target_epsilon
    if target is not None and epsilon > target:
        words.append(
            _("Rounds were drawn again: the target of {target} is not kept.").format(target=rounding.given(target))
        )
    elif now.outcome.tolerable and (
        short := final_answer(now.study, now.outcome.tolerable, now.study.accountant)[1]
    ):
        words.append(short.sentence)
    if len(now.final) > 1:
        several = _("The epsilon is that of one of {count} final runs, with a seed each: release one.")
        words.append(several.format(count=len(now.final)))
    words += [*result.charged.warnings, seed_warning(result.plan.training.seed)]
    return [one for one in words if one]


def _chance(one: Setting, other: Setting) -> str:
    """What can be said of a difference, given the seeds: a remark at the end of a sentence, or nothing."""
    verdict = differ(one, other)
    if verdict is None:
        return _(" (too few seeds to tell it from random variation)")
    return "" if verdict else _(" (within the variation over the seeds)")
