import json
from pathlib import Path

import numpy as np
import pytest

from keras_video.data.sampling import DenseSampleFrames, SampleFrames, UntrimmedSampleFrames

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[1] / "fixtures" / "data"


def records(topic):
    return json.loads((FIXTURES / f"{topic}.json").read_text())["records"]


def sampler_of(cls, arguments):
    arguments = dict(arguments)
    arguments.pop("test_mode", None)
    if "out_of_bound_opt" in arguments:
        arguments["out_of_bound"] = arguments.pop("out_of_bound_opt")
    return cls(**arguments)


def describe(record):
    values = {**record["arguments"], **record["input"]}
    return "-".join(str(value) for value in values.values())


FIXED = [
    (cls, record)
    for cls, topic in (
        (SampleFrames, "frame_sampling_test"),
        (DenseSampleFrames, "dense_sampling_test"),
        (UntrimmedSampleFrames, "untrimmed_sampling"),
    )
    for record in records(topic)
]


@pytest.mark.parametrize(("cls", "record"), FIXED, ids=lambda x: getattr(x, "__name__", ""))
def test_fixed_sampling_equals_the_reference(cls, record):
    sampler = sampler_of(cls, record["arguments"])
    frames = sampler(**record["input"], training=False)
    assert frames.dtype == np.int64
    assert frames.shape[1] == sampler.clip_len
    np.testing.assert_array_equal(frames.reshape(-1), record["output"]["frame_inds"])


@pytest.mark.parametrize("record", records("frame_sampling_train"), ids=describe)
def test_training_sampling_equals_the_reference(record):
    sampler = sampler_of(SampleFrames, record["arguments"])
    output = record["output"]
    rng = np.random.default_rng(0)
    if not output["random"]:
        for _ in range(20):
            frames = sampler(**record["input"], training=True, rng=rng)
            np.testing.assert_array_equal(frames.reshape(-1), output["frame_inds"])
        return
    starts = np.stack(
        [sampler(**record["input"], training=True, rng=rng)[:, 0] for _ in range(3000)]
    )
    # Both made a limited number of draws, so either may have missed the outermost start.
    np.testing.assert_allclose(starts.min(axis=0), output["clip_start_min"], atol=1)
    np.testing.assert_allclose(starts.max(axis=0), output["clip_start_max"], atol=1)
    assert np.all(np.diff(starts, axis=1) >= 0) == output["clip_starts_sorted"]


@pytest.mark.parametrize(
    ("keep_tail_frames", "lowest", "highest"),
    [(False, [0, 8, 16], [7, 15, 23]), (True, [0, 8, 17], [8, 17, 25])],
)
def test_training_segments(keep_tail_frames, lowest, highest):
    sampler = SampleFrames(clip_len=3, num_clips=3, keep_tail_frames=keep_tail_frames)
    rng = np.random.default_rng(0)
    starts = np.stack([sampler(28, training=True, rng=rng)[:, 0] for _ in range(2000)])
    assert starts.min(axis=0).tolist() == lowest
    assert starts.max(axis=0).tolist() == highest


def test_more_clips_than_free_starts_are_drawn_from_all_of_them():
    sampler = SampleFrames(clip_len=1, frame_interval=4, num_clips=8)
    rng = np.random.default_rng(0)
    starts = np.stack([sampler(9, training=True, rng=rng)[:, 0] for _ in range(500)])
    assert np.unique(starts).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.all(np.diff(starts, axis=1) >= 0)


def test_frames_of_a_training_clip_keep_their_interval():
    sampler = SampleFrames(clip_len=4, frame_interval=3, num_clips=5)
    frames = sampler(200, training=True, rng=np.random.default_rng(1))
    assert frames.shape == (5, 4)
    assert np.all(np.diff(frames, axis=1) == 3)


def test_draws_repeat_with_their_seed_only():
    sampler = SampleFrames(clip_len=1, num_clips=8)
    first, again, other = (
        sampler(900, training=True, rng=np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_evaluation_needs_no_randomness():
    rng = np.random.default_rng(3)
    state = rng.bit_generator.state
    SampleFrames(clip_len=8, frame_interval=2, num_clips=3)(99, training=False, rng=rng)
    assert rng.bit_generator.state == state


def test_temporal_jitter_moves_every_frame_by_less_than_the_interval():
    plain = SampleFrames(clip_len=8, frame_interval=4)
    jittered = SampleFrames(clip_len=8, frame_interval=4, temporal_jitter=True)
    rng = np.random.default_rng(0)
    moves = np.concatenate(
        [jittered(100, training=False, rng=rng) - plain(100, training=False) for _ in range(200)]
    )
    assert moves.min() == 0
    assert moves.max() == 3
    assert np.all((moves.min(axis=0) == 0) & (moves.max(axis=0) == 3))
    assert len(np.unique(moves, axis=0)) > 100


def test_twice_sampling_adds_the_left_ends():
    once = SampleFrames(clip_len=1, num_clips=4)(40, training=False)
    twice = SampleFrames(clip_len=1, num_clips=4, twice_sample=True)(40, training=False)
    np.testing.assert_array_equal(twice[:4], once)
    np.testing.assert_array_equal(twice[4:, 0], [0, 10, 20, 30])
    trained = SampleFrames(clip_len=1, num_clips=4, twice_sample=True)(40, training=True)
    assert trained.shape == (4, 1)


def test_dense_training_window_range():
    sampler = DenseSampleFrames(clip_len=1, num_clips=8, sample_range=64)
    rng = np.random.default_rng(0)
    draws = np.stack([sampler(80, training=True, rng=rng)[:, 0] for _ in range(1000)])
    assert draws.shape == (1000, 8)
    assert np.all(np.diff(draws, axis=1) == 8)
    assert (draws[:, 0].min(), draws[:, 0].max()) == (0, 15)


@pytest.mark.parametrize("total_frames", [64, 20, 1])
def test_dense_training_of_short_videos_starts_at_the_first_frame(total_frames):
    sampler = DenseSampleFrames(clip_len=1, num_clips=8, sample_range=64)
    frames = sampler(total_frames, training=True, start_index=1)
    np.testing.assert_array_equal(frames[:, 0], np.arange(0, 64, 8) % total_frames + 1)


@pytest.mark.parametrize("cls", [SampleFrames, DenseSampleFrames])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("out_of_bound", ["loop", "repeat_last"])
def test_frames_stay_inside_the_video(cls, training, out_of_bound):
    rng = np.random.default_rng(0)
    for total_frames in range(1, 90):
        for clip_len, interval, clips in ((1, 1, 8), (8, 8, 1), (4, 16, 3), (5, 1, 7)):
            sampler = cls(
                clip_len, interval, clips, temporal_jitter=True, out_of_bound=out_of_bound
            )
            frames = sampler(total_frames, training=training, rng=rng, start_index=1)
            assert frames.min() >= 1
            assert frames.max() <= total_frames


@pytest.mark.parametrize("total_frames", [0, -3, 2.5, None])
@pytest.mark.parametrize(
    "sampler", [SampleFrames(1), DenseSampleFrames(1), UntrimmedSampleFrames()]
)
def test_a_video_without_frames_is_rejected(sampler, total_frames):
    with pytest.raises(ValueError, match=f"total_frames={total_frames}, expected"):
        sampler(total_frames, training=False)


def test_a_video_too_short_for_one_center_is_rejected():
    sampler = UntrimmedSampleFrames(clip_len=1, frame_interval=16)
    assert sampler(9).tolist() == [[8]]
    with pytest.raises(ValueError, match="8 frames, expected more than 8"):
        sampler(8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SampleFrames(0), "clip_len=0"),
        (lambda: SampleFrames(1, frame_interval=-1), "frame_interval=-1"),
        (lambda: SampleFrames(1, num_clips=1.5), "num_clips=1.5"),
        (lambda: SampleFrames(1, out_of_bound="wrap"), "out_of_bound='wrap'"),
        (lambda: DenseSampleFrames(1, sample_range=0), "sample_range=0"),
        (lambda: DenseSampleFrames(1, num_sample_positions=0), "num_sample_positions=0"),
        (lambda: UntrimmedSampleFrames(1, frame_interval=0), "frame_interval=0"),
    ],
)
def test_arguments_out_of_range_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
