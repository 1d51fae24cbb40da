"""Clips that are drawn inside spans, across their ends and from background."""

import numpy as np
import pytest

from keras_video import data
from keras_video.data import Span, SpanRecord
from keras_video.data.spans.clips import SpanWindows
from tests.videos import write_video

READ = {"sampling": data.SampleFrames(clip_len=4), "transforms": [data.Resize((8, 8))]}
# The video lasts 20 s at 10 frames per second; background frames are gray.
SPANS = (Span("bright", 4, 9), Span("dark", 12, 16))
LEVELS = {"bright": 220, "dark": 20, "background": 120}
CLASSES = ("bright", "dark")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    levels = np.full(200, LEVELS["background"])
    for span in SPANS:
        levels[int(span.start * 10) : int(span.end * 10)] = LEVELS[span.label]
    frames = [np.full((32, 32, 3), level, np.uint8) for level in levels]
    path = write_video(tmp_path_factory.mktemp("long") / "long.mp4", frames, rate=10)
    return SpanRecord(str(path), SPANS, CLASSES)


def level_of(clips):
    return clips.numpy().mean(axis=(1, 2, 3, 4))


def test_labels_are_what_the_frames_show(record):
    clips = data.span_clips([record] * 8, window=1.0, background_ratio=1.5, boundary_ratio=0)
    assert len(clips) == 16 + 24
    dataset = data.dataset_from_records(clips, **READ, training=True, batch_size=40, classes=3)
    for batch, labels in dataset:
        assert np.bincount(labels.numpy(), minlength=3).tolist() == [8, 8, 24]
        expected = np.array(list(LEVELS.values()))[labels.numpy()]
        np.testing.assert_allclose(level_of(batch), expected, atol=12)


def test_clips_across_boundaries_are_labeled_by_overlap(record):
    clips = data.span_clips([record] * 40, window=1.0, background_ratio=0, boundary_ratio=1)
    dataset = data.dataset_from_records(
        clips, sampling=data.SampleFrames(clip_len=1, num_clips=10),
        transforms=READ["transforms"], training=True, batch_size=80, classes=3,
    )  # fmt: skip
    (batch, labels) = next(iter(dataset))
    values, labels = batch.numpy().mean(axis=(2, 3, 4)), labels.numpy()
    near = np.abs(values[..., None] - np.array(list(LEVELS.values()))).argmin(-1)
    assert (near.min(axis=1) < near.max(axis=1)).mean() > 0.75
    counts = np.stack([(near == number).mean(axis=1) for number in range(3)], 1)
    # A window has ten frames, so its label may be off by one frame.
    assert (counts[np.arange(80), labels] >= 0.4).all()
    assert 0.3 < (labels == 2).mean() < 0.7


def test_passes_differ_and_an_evaluation_does_not(record):
    def starts(training, epoch):
        clips = data.span_clips([record], window=1.0, training=training)
        source = SpanWindows()
        return [source.open(clip, np.random.default_rng([epoch, number])).first
                for number, clip in enumerate(clips)]  # fmt: skip

    assert starts(True, 0) != starts(True, 1)
    assert starts(False, 0) == starts(False, 1)
    # The middles of the spans, of 4 s to 9 s and of 12 s to 16 s, less half a window.
    assert starts(False, 0)[:2] == [60, 135]


def test_several_classes_are_multi_hot(record):
    both = (*SPANS, Span("dark", 4, 9))
    record = SpanRecord(record.video, both, CLASSES, 20.0)
    clips = data.span_clips([record], window=1.0, background="none", training=False)
    dataset = data.dataset_from_records(clips, **READ, batch_size=6, classes=2)
    (_, labels) = next(iter(dataset))
    assert labels.numpy().tolist() == [[1, 1], [0, 1], [1, 1], [0, 0], [0, 0], [0, 0]]


def test_points_and_short_spans_are_in_their_windows(record):
    points = SpanRecord(record.video, (Span("bright", 4, 4), Span("dark", 15, 15.2)), CLASSES, 20.0)
    clips = data.span_clips([points], window=2.0, boundary_ratio=0, background_ratio=0)
    for number, (time, label) in enumerate([(4, 0), (15.1, 1)]):
        for seed in range(20):
            start = clips[number].draw(20.0, np.random.default_rng(seed))
            assert start <= time <= start + 2
        assert clips[number].labels_at(time - 1) == (label,)
        assert clips[number].labels_at(time + 3) == (2,)


def test_a_row_and_a_shrinking_transform_read_them(record):
    from keras_video import zoo

    clips = data.span_clips([record], window=1.0, training=False)
    row = zoo.row("tsn_r18_1x1x4_moving_shapes")
    for dataset in (
        data.row_dataset(row, clips, "val", classes=3, batch_size=4),
        data.protocol_dataset(row.protocol("val"), clips, classes=3, batch_size=4),
    ):
        (batch, labels) = next(iter(dataset))
        assert labels.numpy().tolist() == [0, 1, 2, 2] and batch.shape[0] == 4


def test_invalid_settings_are_rejected(record):
    for name, value in {"window": 0, "background_ratio": -1, "boundary_ratio": 2,
                        "min_overlap": 0, "background": "all"}.items():  # fmt: skip
        with pytest.raises(ValueError, match=f"received {name}={value!r}, expected"):
            data.span_clips([record], **{name: value})
    with pytest.raises(ValueError, match=r"expected \('bright', 'dark'\)"):
        data.span_clips([record, SpanRecord("x", (), ("bright",))])
    with pytest.raises(ValueError, match="received 1 records without a span"):
        data.span_clips([SpanRecord("x", (), CLASSES)])
    full = SpanRecord("x", (Span("dark", 0, 5),), CLASSES, 5.0)
    with pytest.raises(ValueError, match="without a gap of 1 s"):
        data.span_clips([full])
    clips = data.span_clips([record], window=1.0)
    with pytest.raises(ValueError, match="other sources have no timestamps"):
        data.dataset_from_records(clips, **READ, source=data.RawFrames())
    with pytest.raises(ValueError, match="4 clips of spans among 5 records"):
        data.dataset_from_records([*clips, data.Record("x", (0,))], **READ)


def test_a_span_past_the_end_is_reported_with_its_line(record, tmp_path):
    path = tmp_path / "spans.csv"
    path.write_text(
        f"video,label,start,end\n{record.video},bright,1,2\n{record.video},dark,30,31\n"
    )
    clips = data.span_clips(data.read_spans(path), window=1.0)
    dataset = data.dataset_from_records(clips, **READ, batch_size=None)
    with pytest.raises(Exception, match=r"(?s)begin within the video of 20 s.*spans.csv:3"):
        list(dataset)
