"""The tutorial's study, and runs of studies that end with its figures without any training."""

from dpcore.plan import FixedClipping, Plan, PrivacyPlan
from dpcore.rounds import Round
from dpcore.runs.studies.study import Study

BASE = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
TUTORIAL = Study(plan=BASE)
ACCURACY = {0.0: 0.795, 0.5: 0.777, 0.75: 0.712, 1.0: 0.547, 1.2: 0.786}
GRID = Study(
    plan=BASE,
    noise_multipliers=(0.5, 1.0, 0.5),
    clients_per_round=(20, 50),
    rounds=(10, 20),
    client_learning_rates=(0.01, 0.02),
    clippings=(FixedClipping(clip_norm=0.1),),
    seeds=(0, 1),
    target_epsilon=None,
)


def finish(store, run, accuracy=None):
    """Ends a queued run as its worker would."""
    store.begin(run.run_id)
    shift = 0.002 * (run.plan.training.seed or 0)
    reached = ACCURACY[run.plan.privacy.noise_multiplier] if accuracy is None else accuracy
    for number, value in ((0, 0.1), (run.plan.privacy.rounds, reached + shift)):
        row = Round(
            round=number, accuracy=value, loss=1.0, clip_norm=0.1, cohort_size=5, epsilon=0.5, seconds=0.06 * 50
        )
        store.append(run.run_id, row)
    store.end(run.run_id, "finished")


def work(store):
    """Finishes all that is queued, in order; returns how many that were."""
    queue = store.queue()
    for run in queue:
        finish(store, run)
    return len(queue)
