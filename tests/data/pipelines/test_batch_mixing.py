import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.pipelines import batch_mixing
from keras_video.data.pipelines.batch_mixing import CutMix, MixUp, MixUpOrCutMix, mixed_dataset
from keras_video.data.pipelines.epoch import EpochCounter
from tests.augmentations import arrays, records


def stored_batch(record):
    stored = arrays()
    clips = tf.constant(stored[f"{record['id']}/clips"])
    labels = batch_mixing.soft_labels(tf.constant(record["classes"]), 3)
    partners = tuple(tf.gather(part, record["permutation"]) for part in (clips, labels))
    return (clips, labels), partners, stored


@pytest.mark.parametrize("record", records("mixup"), ids=lambda record: record["id"])
def test_mixup_equals_mmaction2(record):
    batch, partners, stored = stored_batch(record)
    clips, labels = batch_mixing.mixup(batch, partners, record["share"])
    np.testing.assert_allclose(clips, stored[f"{record['id']}/blended"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(labels, stored[f"{record['id']}/labels"], rtol=1e-5)


@pytest.mark.parametrize("record", records("cutmix"), ids=lambda record: record["id"])
def test_cutmix_equals_mmaction2(record):
    batch, partners, stored = stored_batch(record)
    clips, labels = batch_mixing.cutmix(batch, partners, tf.constant(record["box"]))
    np.testing.assert_array_equal(clips, stored[f"{record['id']}/blended"])
    np.testing.assert_allclose(labels, stored[f"{record['id']}/labels"], rtol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9, 1.0])
def test_boxes_leave_the_expected_area_and_stay_inside(weight):
    for middle in ((0, 0), (20, 30), (39, 59)):
        box = batch_mixing.cut_box(tf.constant(weight), (40, 60), middle)
        top, left, bottom, right = (int(edge) for edge in box)
        assert 0 <= top <= bottom <= 40
        assert 0 <= left <= right <= 60
    top, left, bottom, right = (int(e) for e in batch_mixing.cut_box(weight, (40, 60), (20, 30)))
    assert abs((bottom - top) * (right - left) / 2400 - (1 - weight)) < 0.05


@pytest.mark.parametrize("kind", [MixUp, CutMix])
@pytest.mark.parametrize("shape", [(4, 3, 8, 8, 3), (4, 2, 3, 8, 8, 3)])
def test_batches_are_mixed_with_themselves(kind, shape):
    clips = tf.reshape(tf.range(shape[0], dtype=tf.float32), [-1] + [1] * (len(shape) - 1))
    clips = tf.broadcast_to(clips, shape)
    labels = tf.range(shape[0])
    mix = tf.function(kind(shape[0], alpha=1.0))
    outcomes = set()
    for seed in range(8):
        mixed, soft = (part.numpy() for part in mix(clips, labels, (seed, 1)))
        assert mixed.shape == shape
        np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
        # Pixels equal the video's number, so their mean is the mean of the labels.
        means = mixed.reshape(shape[0], -1).mean(axis=1)
        np.testing.assert_allclose(means, soft @ np.arange(shape[0]), atol=1e-5)
        outcomes.add(soft.tobytes())
        eager = kind(shape[0], alpha=1.0)(clips, labels, (seed, 1))[1]
        np.testing.assert_allclose(soft, eager, atol=1e-6)
    assert len(outcomes) > 4


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("kind", [MixUp, CutMix])
@pytest.mark.parametrize("count", [6, 5])
def test_every_replica_has_its_own_mixing_weight(kind, count):
    clips = tf.broadcast_to(tf.reshape(tf.range(6.0), [6, 1, 1, 1, 1]), [6, 2, 16, 16, 3])
    dataset = tf.data.Dataset.from_tensor_slices((clips[:count], tf.range(6)[:count])).batch(6)
    separate = 0
    for seed in range(6):
        ((mixed, soft),) = mixed_dataset(dataset, kind(6, alpha=1.0), seed=seed, parts=2)
        soft = soft.numpy()
        # The first three are not mixed with the rest.
        assert not soft[:3, 3:].any() and not soft[3:, :3].any()
        means = mixed.numpy().reshape(count, -1).mean(axis=1)
        np.testing.assert_allclose(means, soft @ np.arange(6), atol=1e-4)
        weights = [{round(float(v), 4) for v in part[part > 0]} for part in (soft[:3], soft[3:])]
        separate += not (weights[0] - {1.0}) & (weights[1] - {1.0})
    assert separate >= 4
    with pytest.raises(ValueError, match="received parts=0"):
        mixed_dataset(dataset, kind(6), parts=0)


def test_small_alpha_gives_weights_near_0_and_1():
    weights = [float(batch_mixing.dirichlet_weights((seed, 0), 2, 0.2)[0]) for seed in range(200)]
    assert all(0 <= weight <= 1 for weight in weights)
    assert 0.35 < np.mean(weights) < 0.65
    assert np.mean([min(weight, 1 - weight) < 0.1 for weight in weights]) > 0.5


def test_labels_of_several_classes_are_mixed_too():
    labels = tf.constant([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    _, soft = MixUp(3)(tf.zeros([2, 1, 4, 4, 3]), labels, (0, 0))
    np.testing.assert_allclose(soft[:, 0], soft[:, 1])
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected \(batch,\) or \(batch, 4\)"):
        MixUp(4)(tf.zeros([2, 1, 4, 4, 3]), labels, (0, 0))


def passes(dataset, count=2):
    return [[soft.numpy() for _, soft in dataset] for _ in range(count)]


def test_draws_of_a_dataset_depend_on_seed_pass_and_batch():
    clips = tf.zeros([12, 1, 4, 4, 3])
    batches = tf.data.Dataset.from_tensor_slices((clips, tf.range(12) % 4)).batch(4)

    def mixed(seed=0, epoch=None):
        return mixed_dataset(batches, MixUp(4, alpha=1.0), seed=seed, epoch=epoch)

    assert len(mixed()) == 3
    first, second = passes(mixed())
    np.testing.assert_array_equal(passes(mixed())[0], first)
    drawn = {soft.tobytes() for soft in (*first, *second, *passes(mixed(seed=1))[0])}
    assert len(drawn) == 9
    # A dataset takes its pass number before its first batch is mixed.
    resumed = EpochCounter(2)
    np.testing.assert_array_equal(passes(mixed(epoch=resumed), 1)[0], second)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_arguments_out_of_range_are_rejected(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}: received classes=0"):
        kind(0)
    with pytest.raises(ValueError, match="alpha=0"):
        kind(3, alpha=0)


@pytest.mark.slow
def test_every_batch_is_mixed_in_one_of_two_ways():
    clips = tf.broadcast_to(tf.reshape(tf.range(4.0), [4, 1, 1, 1, 1]), [4, 2, 16, 16, 3])
    mix = tf.function(MixUpOrCutMix(4, 0.8, 1.0, cutmix_share=0.25))
    cut = []
    for seed in range(120):
        mixed, soft = (part.numpy() for part in mix(clips, tf.range(4), (seed, 1)))
        np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
        means = mixed.reshape(4, -1).mean(axis=1)
        np.testing.assert_allclose(means, soft @ np.arange(4), atol=1e-5)
        whole = np.ptp(mixed, axis=(1, 2, 3, 4)).max() == 0  # MixUp of uniform clips is uniform
        cut.append(not whole)
    assert 0.15 < np.mean(cut) < 0.35
    always, never = (MixUpOrCutMix(4, 0.8, 1.0, share) for share in (1, 0))
    seed = (3, 1)
    partners = (clips[::-1], tf.one_hot(tf.range(4), 4)[::-1])
    batch = (clips, tf.one_hot(tf.range(4), 4))
    for mixing, expected_mixing in ((always, CutMix(4, 1.0)), (never, MixUp(4, 0.8))):
        for part, expected in zip(
            mixing.mix(batch, partners, seed),
            expected_mixing.mix(batch, partners, seed),
            strict=True,
        ):
            np.testing.assert_allclose(part, expected, atol=1e-6)
    with pytest.raises(ValueError, match="received cutmix_share=1.5, expected 0 to 1"):
        MixUpOrCutMix(4, cutmix_share=1.5)
    with pytest.raises(ValueError, match="MixUp: received classes=4, alpha=0"):
        MixUpOrCutMix(4, mixup_alpha=0)
