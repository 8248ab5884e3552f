"""A run to hand on: as JSON, as one HTML page, and as a script on TensorFlow Federated alone."""

import json
import time
from dataclasses import asdict
from pathlib import Path

from dpcore import datasets, strict_json
from dpcore.charts import lines
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import _, speaking
from dpcore.mechanisms import zeroing
from dpcore.plan import Plan
from dpcore.privacy import accounting, statement
from dpcore.reports import page
from dpcore.reports.study import rounds_table
from dpcore.runs import reporting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run


def as_json(store: StoreAccess, run: Run) -> str:
    """Returns a run's plan, as `--plan FILE` takes it, and all that came of it; infinity is the string "inf"."""
    epsilon = accounting.epsilon(run.charged).value
    with speaking("en"):  # as all that JSON says
        sentence, warnings = statement.sentence(run.charged, epsilon), reporting.warnings(run)
    told = {
        "plan": json.loads(run.plan.to_json()),
        "plan_fingerprint": run.plan_fingerprint,
        "run_id": run.run_id,
        "engine": run.engine,
        "status": run.status,
        "dataset_fingerprint": run.dataset_fingerprint,
        "redrawn": run.redrawn,
        "audit": run.audit,
        "epsilon": epsilon,
        "statement": sentence,
        "warnings": warnings,
        "accountant": accounting.VERSION,
        "rounds": [asdict(row) for row in store.rounds(run.run_id)],
    }
    return strict_json.dumps(told, indent=1)


def html(store: StoreAccess, run: Run) -> str:
    """Returns a run as a page: its curves, its statement, and how to repeat it."""
    rounds, total = rounds_table(store, [run]), run.plan.privacy.rounds
    epsilon = accounting.epsilon(run.charged).value
    figures: list[str] = []
    for metric, name in lines.METRICS.items():
        title = _(name)
        drawn = lines.metric_by_round(
            {run.title: rounds},
            metric,
            noise={run.title: run.plan.privacy.noise_multiplier},
            title=title,
            total_rounds=total,
        )
        last = lines.written(metric, rounds[metric].iloc[-1]) if len(rounds) else _("none")
        caption = _("{title}, last {value}").format(title=title, value=last)
        figures.append(page.figure(drawn, caption, first=not figures))
    about = _("Run {run}, {status}, engine {engine}. Written by Epsilon Lab on {date}; {accountant}.").format(
        run=run.run_id,
        status=_(run.status),
        engine=run.engine,
        date=time.strftime("%Y-%m-%d"),
        accountant=accounting.VERSION,
    )
    return page.document(
        _("Run {run}").format(run=run.run_id),
        [
            page.heading(run.title, level=1),
            page.paragraph(about),
            page.highlighted(statement.sentence(run.charged, epsilon)),
            *figures,
            page.heading(_("The statement")),
            page.statement(reporting.rows(store, run)),
            *page.to_repeat(
                _("Save this as plan.json, then: python -m dpcore train --plan plan.json"), run.plan.to_json()
            ),
        ],
    )


def script_for(store: StoreAccess, plan: Plan) -> str:
    """Returns `tff_script` for the data set as it is here.

    Raises:
        DatasetError: If it is not here any more.
    """
    manifest = datasets.entry(plan.training.dataset, store.home).manifest
    if manifest is None:
        message = _("Expected {dataset} to be on this machine: the script needs its shape.")
        raise DatasetError(message.format(dataset=plan.training.dataset))
    return tff_script(plan, num_classes=manifest.num_classes, image_shape=manifest.description.image_shape)


def script_refusal(plan: Plan) -> str:
    """Returns why there is no script of a plan, in a sentence; empty where there is one."""
    privacy = plan.privacy
    if privacy.cohorts.by_coins_alone and not privacy.noise.is_correlated:
        return ""
    return _(
        "Expected a plan with Poisson sampling and independent noise to write a script of, found {participation} with "
        "{noise} noise: TFF alone has no such sampler. Train it here."
    ).format(participation=privacy.cohorts.kind, noise=privacy.noise.kind)


def tff_script(plan: Plan, *, num_classes: int, image_shape: tuple[int, ...] | None) -> str:
    """Returns a Python program that trains a plan with TensorFlow Federated alone, from the data set's arrays.

    Its noise is TFF's own and never seeded, so it repeats the run in distribution, not to the last bit.

    Raises:
        InvalidValueError: If a `script_refusal` says why there is none.
    """
    privacy, training = plan.privacy, plan.training
    if refusal := script_refusal(plan):
        raise InvalidValueError("participation", refusal)
    with speaking("en"):  # as all of the script
        sentence = statement.sentence(privacy, accounting.epsilon(privacy).value)
    values = {
        "@SENTENCE@": sentence,
        "@PLAN@": plan.to_json(),
        "@QUERIES@": _after_imports("tff/bounded_query"),
        "@LAYERS@": _after_imports("models/layers"),
        "@QUERY@": _call(*privacy.query),
        "@CLIENTS@": repr(float(privacy.clients_per_round)),
        "@ZEROING@": _zeroing() if privacy.zeroing else "",
        "@MODEL@": repr(training.model),
        "@POPULATION@": repr(privacy.population),
        "@PROBABILITY@": f"{privacy.clients_per_round} / {privacy.population}",
        "@ROUNDS@": repr(privacy.rounds),
        "@BATCH@": repr(training.batch_size),
        "@EPOCHS@": repr(training.local_epochs),
        "@CLIENT_RATE@": repr(training.client_learning_rate),
        "@SERVER_RATE@": repr(training.server_learning_rate),
        "@MOMENTUM@": repr(training.server_momentum),
        "@SEED@": repr(training.seed),
        "@CLASSES@": repr(num_classes),
        "@SHAPE@": repr(image_shape and tuple(image_shape)),
    }
    script = Path(__file__).with_name("run_on_tff.py.in").read_text()
    for name, value in values.items():
        script = script.replace(name, value)
    return script


def _after_imports(module: str) -> str:
    """Returns what a module of the learning has after its last import: read, not imported, TensorFlow takes seconds."""
    path = Path(__file__).parents[1] / "learning" / f"{module}.py"
    return path.read_text().split("from dpcore.learning.loading import tf\n")[1].strip()


def _call(name: str, arguments: dict[str, float]) -> str:
    """Returns a call in Python, a line an argument."""
    return f"{name}(\n" + "".join(f"    {key}={value!r},\n" for key, value in arguments.items()) + ")"


def _zeroing() -> str:
    estimate = _call("tff.aggregators.PrivateQuantileEstimationProcess.no_noise", zeroing.TFF_ARGUMENTS)
    return f"ESTIMATE = {estimate}\nAGGREGATOR = tff.aggregators.zeroing_factory(ESTIMATE, AGGREGATOR)"
