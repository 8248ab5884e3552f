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
    draw, rounds, q = np.random.default_rng(seed), plan.rounds, plan.sampling_prob
    shape = rounds, directions
    canaries = run_canaries + round_canaries
    planned = plan.value_noise_multiplier
    scales = {
        "noise 2% less": 0.98 * planned,
        "noise half": planned / 2,
        "value noise not split": plan.noise_multiplier,
    }
    noise = scales.get(breaks, planned) * draw.standard_normal(shape, np.float32)
    if breaks == "noise reused":
        noise[:] = noise[0]
    if breaks == "noise of two rounds":
        noise[rounds // 2] = noise[rounds // 3]
    if breaks == "noise of one round":
        noise[rounds // 2] *= 0.8
    if innovations is not None:
        noise = np.linalg.solve(innovations, noise)
    coins = draw.random(run_canaries) < 0.5
    drawn = draw.random((rounds, run_canaries)) < q * (2 if breaks == "user drawn twice" else 1)
    if breaks == "drawn together":  # all run canaries, or none
        drawn[:] = drawn[:, :1]
    joined = np.concatenate([drawn & coins, draw.random((rounds, round_canaries)) < 0.5], axis=1)
    step = {"clip off": 3.0, "clip twice": 2.0, "step 1.25": 1.25, "nothing sent": 0.0}.get(breaks, 1.0) * (
        1 - MARGIN
    )
    came = draw.poisson(plan.clients_per_round, rounds)
    weight = plan.clients_per_round / came if breaks == "divided by who came" else np.ones(rounds)
    # What users have in common, which falls as the model learns, and what each cohort adds to it.
    size = plan.clients_per_round / np.sqrt(COORDINATES) * np.exp(-np.arange(rounds) / rounds)[:, None]
    common, others = draw.standard_normal(directions), np.sqrt(plan.clients_per_round / COORDINATES)
    projections = noise + leak * (0.4 * size * common + others * draw.standard_normal(shape, np.float32))
    projections[:, :canaries] += step * weight[:, None] * joined
    size = np.array(LAYERS)
    layers = scales.get(breaks, planned) * np.sqrt(draw.chisquare(size, (rounds, len(size))) / size)
    if breaks == "no noise on biases":
        layers[:, 1::2] = draw.gamma(1, 0.3, (rounds, 2))
    if innovations is not None:
        layers *= np.linalg.norm(np.linalg.inv(innovations), axis=1)[:, None]
    return Trace(
        run_canaries=run_canaries,
        round_canaries=round_canaries,
        projections=projections.astype(np.float32),
        run_coins=coins,
        joined=joined,
        clip_norms=0.1 * np.exp(np.cumsum(draw.normal(0, 0.02, rounds))),
        layer_scale=layers,
        layer_size=size,
        noise=planned,
        innovations=None if forget else innovations,
    )
