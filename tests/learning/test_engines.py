"""What every engine must do, against a round written out in NumPy from the papers."""

import dataclasses

import numpy as np
import pytest

from dpcore.mechanisms.noise import Banded, SquareRoot, Tree
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import AdaptiveClipping, FixedClipping, Plan, PrivacyPlan, TrainingPlan

pytestmark = pytest.mark.slow


def local_update(weights, features, labels, plan):
    """One user's epochs of SGD by hand, on examples in the order of all epochs: the difference that it returns."""
    kernels, biases = [w.astype(np.float64) for w in weights[::2]], [w.astype(np.float64) for w in weights[1::2]]
    size, rate = plan.training.batch_size, plan.training.client_learning_rate
    count = len(labels) // plan.training.local_epochs
    begins = [e * count + at for e in range(plan.training.local_epochs) for at in range(0, count, size)]
    for start in begins:  # a batch never goes on into the next epoch
        rows = slice(start, min(start + size, (start // count + 1) * count))
        x, y = features[rows].astype(np.float64), labels[rows]
        outputs = [x]
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            outputs.append(np.maximum(outputs[-1] @ kernel + bias, 0))
        logits = outputs[-1] @ kernels[-1] + biases[-1]
        error = np.exp(logits - logits.max(1, keepdims=True))
        error /= error.sum(1, keepdims=True)
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        for layer in reversed(range(len(kernels))):
            back = (error @ kernels[layer].T) * (outputs[layer] > 0)
            kernels[layer] = kernels[layer] - rate * outputs[layer].T @ error
            biases[layer] = biases[layer] - rate * error.sum(0)
            error = back
    trained = [part for pair in zip(kernels, biases, strict=True) for part in pair]
    return [new - old for new, old in zip(trained, weights, strict=True)]


def reference_rounds(weights, cohorts, plan, dataset):
    """DP-FedAvg with adaptive clipping and no noise: yields weights and clip norm after each cohort."""
    from dpcore.datasets.federated import scale
    from dpcore.learning import sampling

    clip, momentum = plan.privacy.clipping.initial_clip_norm, [np.zeros_like(w) for w in weights]
    expected = plan.privacy.clients_per_round
    for round_num, cohort in enumerate(cohorts, start=1):
        total, count = [np.zeros_like(w, dtype=np.float64) for w in weights], 0.0
        for user in cohort:
            rows = dataset.train.rows(user)
            order = sampling.shuffled_examples(plan, round_num, user, rows.stop - rows.start)
            features = scale(dataset.train.features[rows][order])
            update = local_update(weights, features, dataset.train.labels[rows][order], plan)
            norm = np.sqrt(sum((part**2).sum() for part in update))
            count += 0.5 if norm <= clip else -0.5
            total = [a + part * min(1.0, clip / max(norm, 1e-30)) for a, part in zip(total, update, strict=True)]
        momentum = [0.9 * m + a / expected for m, a in zip(momentum, total, strict=True)]
        weights = [w + m for w, m in zip(weights, momentum, strict=True)]
        if not isinstance(plan.privacy.clipping, FixedClipping):
            clip *= np.exp(-0.2 * (np.clip(count / expected + 0.5, 0, 1) - 0.5))
        yield weights, clip


@pytest.fixture(scope="module", params=["vectorized", "tff"])
def make_engine(request):
    from dpcore.learning import engines

    return lambda plan, dataset: engines.create(request.param, plan, dataset)


@pytest.fixture
def noise_free(small_plan, with_privacy):
    return with_privacy(small_plan, noise_multiplier=0.0)


@pytest.mark.parametrize(
    ("dataset", "clipping", "epochs", "atol"),
    [
        ("few_writers", AdaptiveClipping(), 1, 2e-6),
        ("float_table", FixedClipping(clip_norm=0.05), 1, 2e-6),
        ("few_writers", AdaptiveClipping(), 3, 5e-5),
        ("float_table", FixedClipping(clip_norm=0.05), 2, 2e-6),
    ],
)
def test_rounds_are_those_of_the_papers(
    make_engine, noise_free, with_privacy, clipping, dataset, epochs, atol, request
):
    """Ordinary, empty, single and full cohorts; last batches are short, and in the table users have no examples.

    What float32 loses adds up over epochs, and beside a kink of ReLU, a step is another one.
    """
    noise_free, dataset = with_privacy(noise_free, clipping=clipping), request.getfixturevalue(dataset)
    training = dataclasses.replace(noise_free.training, local_epochs=epochs)
    noise_free = dataclasses.replace(noise_free, training=training)
    cohorts = [np.array(c, np.int64) for c in ([3, 7, 11, 40], [], [5], range(60), [1, 2])]
    engine = make_engine(noise_free, dataset)
    state = engine.initialize()
    expected = reference_rounds(engine.model_weights(state), cohorts, noise_free, dataset)
    for round_num, (cohort, (weights, clip)) in enumerate(zip(cohorts, expected, strict=True), start=1):
        state, metrics = engine.next(state, cohort, round_num)
        assert metrics.clip_norm == pytest.approx(clip, rel=1e-5)
        for ours, theirs in zip(engine.model_weights(state), weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=atol)


@pytest.mark.parametrize("rate", [0.001, 10.0])
@pytest.mark.parametrize("quantile", [0.0, 0.9, 1.0])
def test_any_quantile_and_step_of_the_clip_norm_is_that_of_the_rule(
    make_engine, noise_free, few_writers, with_privacy, quantile, rate
):
    """Also a step of e^10, which ends at the highest and the lowest clip norm, in both engines."""
    clipping = AdaptiveClipping(initial_clip_norm=0.3, target_unclipped_quantile=quantile, learning_rate=rate)
    plan = with_privacy(noise_free, clipping=clipping)
    plan = dataclasses.replace(plan, training=dataclasses.replace(plan.training, model="linear"))
    engine = make_engine(plan, few_writers)
    state, clip = engine.initialize(), 0.3
    for round_num in range(1, 4):  # nobody comes: the count is half of those expected
        state, metrics = engine.next(state, np.array([], np.int64), round_num)
        clip = min(max(clip * np.exp(-rate * (0.5 - quantile)), 1e-6), 1e6)
        assert metrics.clip_norm == pytest.approx(clip, rel=1e-5)


def test_a_convolutional_model_takes_its_epochs_as_tff_does(noise_free, few_writers):
    from dpcore.learning import verification

    plan = dataclasses.replace(noise_free, training=TrainingPlan(model="cnn", local_epochs=2, batch_size=64))
    for check in verification.engine_differences("cnn, two epochs", plan, few_writers):
        assert check.passed, check


def test_a_fixed_clip_leaves_all_noise_to_the_updates(make_engine, noise_free, few_writers, with_privacy):
    """Noise of 3 with 10 expected clients: more than an adaptive clip could share."""
    plan = with_privacy(noise_free, noise_multiplier=3.0, clipping=FixedClipping(clip_norm=0.2))
    engine = make_engine(plan, few_writers)
    state = engine.initialize()
    before = engine.model_weights(state)
    state, metrics = engine.next(state, np.array([], np.int64), 1)
    moved = [(new - old).ravel() for new, old in zip(engine.model_weights(state), before, strict=True)]
    assert np.concatenate(moved).std() == pytest.approx(3.0 * 0.2 / 10, rel=0.02)
    assert metrics.clip_norm == 0.2


def test_zeroing_is_offered_and_runs(make_engine, noise_free, few_writers, with_privacy):
    plan = with_privacy(noise_free, zeroing=True)
    engine = make_engine(plan, few_writers)
    state, metrics = engine.next(engine.initialize(), np.array([1, 2, 3]), 1)
    assert metrics.clip_norm != 0.1
    assert np.isfinite(engine.model_weights(state)[0]).all()


def test_the_same_seed_starts_from_the_same_model(make_engine, noise_free, few_writers):
    engines = [make_engine(noise_free, few_writers) for _ in range(2)]
    one, two = (engine.model_weights(engine.initialize()) for engine in engines)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    bound = np.sqrt(6 / (784 + 200))
    assert one[0].std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert not one[1].any()


@pytest.mark.parametrize("dataset", ["few_writers", "float_table"])
def test_evaluation_is_that_of_numpy(noise_free, dataset, request):
    from dpcore.datasets.federated import scale
    from dpcore.learning import evaluation, model

    dataset = request.getfixturevalue(dataset)
    weights = model.initial_weights(model.shapes(noise_free, dataset), seed=3)
    accuracy, loss = evaluation.Evaluation(noise_free, dataset)(weights)
    hidden = scale(dataset.test.features)
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        hidden = np.maximum(hidden @ kernel + bias, 0)
    logits = hidden @ weights[-2] + weights[-1]
    labels = dataset.test.labels
    picked = logits[np.arange(len(labels)), labels]
    assert accuracy == pytest.approx((logits.argmax(1) == labels).mean(), abs=1e-6)
    assert loss == pytest.approx((np.log(np.exp(logits).sum(1)) - picked).mean(), rel=1e-5)


@pytest.mark.parametrize("noise", [Tree(), Banded(bands=3), SquareRoot()], ids=lambda noise: noise.kind)
def test_a_run_that_is_cut_anywhere_goes_on_with_the_same_noise(few_writers, noise):
    from dpcore.learning import engines, sampling

    privacy = PrivacyPlan(
        population=60,
        clients_per_round=10,
        rounds=6,
        clipping=FixedClipping(),
        participation=Schedule(),
        noise=noise,
    )
    plan = Plan(privacy=privacy, training=TrainingPlan(model="linear"))
    whole = engines.create("vectorized", plan, few_writers)
    states = [whole.initialize()]
    for number in range(1, 7):
        states.append(whole.next(states[-1], sampling.cohort(plan, number), number)[0])
    for cut in (0, 3, 5):
        other = engines.create("vectorized", plan, few_writers)
        state = other.from_arrays(whole.to_arrays(states[cut]))
        for number in range(cut + 1, 7):
            state = other.next(state, sampling.cohort(plan, number), number)[0]
        for one, same in zip(states[-1].weights, state.weights, strict=True):
            np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("noise", [Tree(), Banded(bands=3), SquareRoot()], ids=lambda noise: noise.kind)
def test_tff_adds_noise_that_is_correlated_as_accounted_also_after_a_checkpoint(few_writers, noise):
    from dpcore.learning import engines

    privacy = PrivacyPlan(
        population=60, clients_per_round=10, rounds=6, noise_multiplier=0.6, clipping=FixedClipping(),
        participation=Schedule(), noise=noise,
    )  # fmt: skip
    plan = Plan(privacy=privacy, training=TrainingPlan(server_momentum=0.0))
    engine = engines.create("tff", plan, few_writers)
    state = engine.initialize()

    def model():
        return np.concatenate([part.ravel() for part in engine.model_weights(state)]).astype(float)

    first, errors = model(), noise.prefix_errors(6)
    for number in range(1, 7):
        if number == 4:
            state = engine.from_arrays(engine.to_arrays(state))
        state, _metrics = engine.next(state, np.array([], np.int64), number)
        added = (model() - first) / (0.6 * 0.1 / 10)
        assert np.mean(added**2) == pytest.approx(errors[number - 1], rel=5 * (2 / added.size) ** 0.5)


def test_a_finite_update_whose_norm_overflows_becomes_zero_in_tff(noise_free):
    """As TFF ships it, one such user makes the aggregate not-a-number for everybody."""
    import tensorflow_federated as tff

    from dpcore.learning.tff import engine as tff_engine
    from dpcore.learning.tff import process as tff_process

    tff_process.start()
    process = tff_engine.aggregator(noise_free).create(tff.TensorType(np.float32, [3]))
    updates = [np.array([1e20, 0, 0], np.float32), np.array([0.01, 0, 0], np.float32)]
    result = process.next(process.initialize(), updates).result
    np.testing.assert_allclose(result, [0.01 / 10, 0, 0], rtol=1e-5)


def test_a_finite_update_whose_norm_overflows_becomes_zero_in_vectorized(noise_free, few_writers, monkeypatch):
    from dpcore.learning import engines
    from dpcore.learning.models import dense

    learnt = dense.updates

    def huge(*given, **named):
        return ([np.float32(1e25) * part for part in update] for update in learnt(*given, **named))

    monkeypatch.setattr(dense, "updates", huge)
    engine = engines.create("vectorized", noise_free, few_writers)
    before = engine.initialize()
    after, metrics = engine.next(before, np.array([1, 2, 3]), 1)
    for old, new in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert metrics.clip_norm == pytest.approx(0.1 * np.exp(-0.2 * 0.15))  # three zeros, none of them clipped


def test_a_cnn_takes_images_only(noise_free, few_writers, float_table):
    from dpcore.errors import InvalidValueError
    from dpcore.learning import model

    plan = dataclasses.replace(noise_free, training=dataclasses.replace(noise_free.training, model="cnn"))
    with pytest.raises(InvalidValueError, match="found no images in table") as refused:
        model.shapes(plan, float_table)
    assert refused.value.field == "model"
    small = dataclasses.replace(few_writers.description, image_shape=(56, 14))
    with pytest.raises(InvalidValueError, match="found 56 x 14 pixels"):
        model.shapes(plan, dataclasses.replace(few_writers, description=small))


@pytest.mark.parametrize("shape", [(28, 28), (16, 49), (16, 16, 3)])
def test_a_cnn_follows_the_shape_of_its_images(noise_free, few_writers, shape):
    """The graph that trains and evaluates says what Keras says of the same images."""
    import tensorflow as tf

    from dpcore.datasets.federated import scale
    from dpcore.learning import model
    from dpcore.learning.models import graphs

    plan = dataclasses.replace(noise_free, training=dataclasses.replace(noise_free.training, model="cnn"))
    width = int(np.prod(shape))
    images = dataclasses.replace(
        few_writers,
        description=dataclasses.replace(few_writers.description, image_shape=shape),
        train=dataclasses.replace(few_writers.train, features=few_writers.train.features[:20, :width]),
    )
    keras = graphs.build(plan, images)
    weights = model.initial_weights(model.shapes(plan, images), seed=1)
    keras.set_weights(weights)
    features = scale(images.train.features)
    said = graphs.logits("cnn", [tf.constant(w) for w in weights], tf.constant(features), shape)
    np.testing.assert_allclose(said, keras(features), atol=1e-5)


def noise_of(plan, dataset) -> tuple[np.ndarray, float]:
    """One round's noise on the sum and on the clip count, in standard deviations: nobody comes to the round."""
    from dpcore.learning import engines

    engine = engines.create("vectorized", plan, dataset)
    before = engine.initialize()
    after, _ = engine.next(before, np.array([], np.int64), 1)
    privacy = plan.privacy
    moved = np.concatenate([(b - a).ravel() for a, b in zip(before.weights, after.weights, strict=True)])
    on_sum = moved * privacy.clients_per_round / (privacy.value_noise_multiplier * before.clip_norm)
    fraction = 0.5 - np.log(after.clip_norm / before.clip_norm) / privacy.clipping.learning_rate
    return on_sum, (fraction - 0.5) * privacy.clients_per_round / privacy.clipped_count_stddev


def test_plans_of_one_seed_share_no_noise_and_one_plan_repeats_it(small_plan, few_writers, with_privacy):
    """Two runs with the same noise at different scales would give the noise-free sum away."""
    other = with_privacy(small_plan, noise_multiplier=0.4)
    (one, count), (two, other_count) = (noise_of(plan, few_writers) for plan in (small_plan, other))
    assert one.std() == pytest.approx(1, rel=0.01)
    assert two.std() == pytest.approx(1, rel=0.01)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02
    assert count != pytest.approx(other_count, rel=1e-3)
    again, count_again = noise_of(small_plan, few_writers)
    assert np.array_equal(one, again)
    assert count == count_again


def test_without_a_seed_no_noise_repeats(small_plan, few_writers):
    plan = dataclasses.replace(small_plan, training=dataclasses.replace(small_plan.training, seed=None))
    (one, count), (two, other_count) = (noise_of(plan, few_writers) for _ in range(2))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02
    assert count != other_count
