"""Traces of runs that were not trained: honest ones, and those of the ways to break one."""

import numpy as np

from dpcore.mechanisms.clipping import MARGIN
from dpcore.plan import PrivacyPlan
from dpcore.privacy.auditing.trace import Trace

PLAN = PrivacyPlan(clients_per_round=50, noise_multiplier=1.0)
LAYERS = (50_000, 50, 2_000, 5)  # differences in weights, biases, weights, biases
COORDINATES = 2**17
BREAKS = (
    "noise 2% less",
    "noise half",
    "noise reused",
    "noise of two rounds",
    "noise of one round",
    "value noise not split",
    "clip off",
    "clip twice",
    "user drawn twice",
    "drawn together",
    "divided by who came",
    "no noise on biases",
)


def scale_of(plan, breaks):
    """The noise that is added, in clip norms."""
    planned = plan.value_noise_multiplier
    scales = {
        "noise 2% less": 0.98 * planned,
        "noise half": planned / 2,
        "value noise not split": plan.noise_multiplier,
    }
    return scales.get(breaks, planned)


def noise_of(draw, plan, breaks, directions):
    rounds = plan.rounds
    noise = scale_of(plan, breaks) * draw.standard_normal((rounds, directions), np.float32)
    if breaks == "noise reused":
        noise[:] = noise[0]
    if breaks == "noise of two rounds":
        noise[rounds // 2] = noise[rounds // 3]
    if breaks == "noise of one round":
        noise[rounds // 2] *= 0.8
    return noise


def coins_of(draw, plan, breaks, run_canaries, round_canaries):
    """The run canaries' coins, and who joined."""
    coins = draw.random(run_canaries) < 0.5
    prob = plan.sampling_prob * (2 if breaks == "user drawn twice" else 1)
    drawn = draw.random((plan.rounds, run_canaries)) < prob
    if breaks == "drawn together":  # all run canaries, or none
        drawn[:] = drawn[:, :1]
    return coins, np.concatenate([drawn & coins, draw.random((plan.rounds, round_canaries)) < 0.5], axis=1)


def steps_of(draw, plan, breaks):
    """How far a canary moves each round's sum, float64 [rounds, 1]."""
    steps = {"clip off": 3.0, "clip twice": 2.0, "step 1.25": 1.25, "nothing sent": 0.0}
    came = draw.poisson(plan.clients_per_round, plan.rounds)
    weight = plan.clients_per_round / came if breaks == "divided by who came" else np.ones(plan.rounds)
    return steps.get(breaks, 1.0) * (1 - MARGIN) * weight[:, None]


def updates_of(draw, plan, directions):
    """What users have in common, which falls as the model learns, and what each cohort adds to it."""
    clients, fading = plan.clients_per_round, np.exp(-np.arange(plan.rounds) / plan.rounds)[:, None]
    common = 0.4 * clients / np.sqrt(COORDINATES) * fading * draw.standard_normal(directions)
    return common + np.sqrt(clients / COORDINATES) * draw.standard_normal((plan.rounds, directions), np.float32)


def trace(
    seed,
    *,
    breaks="",
    plan=PLAN,
    run_canaries=1_000,
    round_canaries=1_000,
    directions=8_192,
    innovations=None,
    forget=False,
    leak=1.0,
):
    """A run of the plan, whose users' updates leak into the projections as they do in training.

    Args:
        seed: Of all that is drawn.
        breaks: What it does otherwise; one of `BREAKS`.
        innovations: As `Trace` has them; the trace does not tell of them where it shall `forget`.
        leak: How much of the users' updates there is.
    """
    draw, size = np.random.default_rng(seed), np.array(LAYERS)
    noise = noise_of(draw, plan, breaks, directions)
    coins, joined = coins_of(draw, plan, breaks, run_canaries, round_canaries)
    layers = scale_of(plan, breaks) * np.sqrt(draw.chisquare(size, (plan.rounds, len(size))) / size)
    if breaks == "no noise on biases":
        layers[:, 1::2] = draw.gamma(1, 0.3, (plan.rounds, 2))
    if innovations is not None:
        noise = np.linalg.solve(innovations, noise)
        layers *= np.linalg.norm(np.linalg.inv(innovations), axis=1)[:, None]
    projections = noise + leak * updates_of(draw, plan, directions)
    projections[:, : joined.shape[1]] += steps_of(draw, plan, breaks) * joined
    return Trace(
        run_canaries=run_canaries,
        round_canaries=round_canaries,
        projections=projections.astype(np.float32),
        run_coins=coins,
        joined=joined,
        clip_norms=0.1 * np.exp(np.cumsum(draw.normal(0, 0.02, plan.rounds))),
        layer_scale=layers,
        layer_size=size,
        noise=plan.value_noise_multiplier,
        innovations=None if forget else innovations,
    )
