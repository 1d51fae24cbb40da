import pickle

import numpy as np
import pytest

from keras_video.data import (
    CenterCrop,
    DecodeError,
    Images,
    Normalize,
    RawFrames,
    Resize,
    SampleFrames,
    TaggedJson,
    ThreeCrop,
    VideoParts,
    Videos,
    open_video,
    part_lines,
    read_annotations,
    video_dataset,
    video_dataset_from_directory,
)
from keras_video.data.annotations.records import Record
from keras_video.data.pipelines.building import shrinking_source
from tests.images import write_image
from tests.videos import moving_gradient, write_video

PLAIN = (Resize(short_side=32), CenterCrop(32))
RNG = np.random.default_rng(0)


def test_videos(tiny_videos):
    path = tiny_videos / "left" / "video0.mp4"
    video = Videos().open(Record(str(path), (0,)))
    assert video.total_frames == 12
    expected = open_video(path).read([2, 5])
    np.testing.assert_array_equal(video.read(np.array([[2, 5]])), expected)
    small = Videos(short_side=24).open(Record(str(path), (0,)))
    assert small.total_frames == 12 and small.read(np.array([[2]])).shape == (1, 24, 32, 3)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="received decoder='decord'"):
        Videos("decord")
    with pytest.raises(ValueError, match="received short_side=5"):
        Videos("opencv", short_side=5)
    with pytest.raises(ValueError, match="received frames=0"):
        Images(0)
    with pytest.raises(ValueError, match="received template='part.mp4'"):
        VideoParts("part.mp4")


def test_sources_can_be_sent_to_other_processes():
    for source in (Videos(), Images(3), VideoParts(), RawFrames()):
        assert pickle.loads(pickle.dumps(source)) == source


def test_images_become_still_clips(tmp_path):
    for number in range(2):
        write_image(tmp_path / f"{number}.png", moving_gradient(2, 32, 40)[number])
    (tmp_path / "list.txt").write_text("0.png 4\n1.png 2\n")
    options = {
        "sampling": SampleFrames(8, 8),
        "transforms": PLAIN,
        "training": True,
        "shuffle": False,
    }
    for source in (Images(8), Images()):
        dataset = video_dataset(tmp_path / "list.txt", tmp_path, source=source, **options)
        ((clips, labels),) = dataset.as_numpy_iterator()
        assert clips.shape == (2, 8, 32, 32, 3) and labels.tolist() == [4, 2]
        for number, clip in enumerate(clips):
            for frame in clip:
                np.testing.assert_array_equal(frame, moving_gradient(2, 32, 40)[number][:, 4:36])


def test_images_in_folders_of_classes(tmp_path):
    for name in ("a/1.png", "b/2.JPG", "b/3.jpeg"):
        write_image(tmp_path / name, moving_gradient(1, 32, 40)[0])
    (tmp_path / "b" / ".hidden.png").write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_text("")
    dataset = video_dataset_from_directory(
        tmp_path, source=Images(), sampling=SampleFrames(1), transforms=PLAIN
    )
    ((_, labels),) = dataset.as_numpy_iterator()
    assert labels.tolist() == [0, 1, 1]


def test_parts_are_drawn_from_the_positive_ones(tmp_path):
    for number in range(4):
        path = tmp_path / "long" / f"part_{number}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_video(path, moving_gradient(5 + number, seed=number))
    (tmp_path / "list.txt").write_text("long 1 4 1 3\n")
    (record,) = read_annotations(tmp_path / "list.txt", tmp_path, annotation_format=part_lines)
    drawn = [VideoParts().open(record, np.random.default_rng(n)).total_frames for n in range(12)]
    assert set(drawn) == {6, 8}
    dataset = video_dataset(
        tmp_path / "list.txt",
        tmp_path,
        source=VideoParts(),
        sampling=SampleFrames(1),
        transforms=PLAIN,
        training=True,
        seed=1,
    )
    # Each epoch draws again, always from the positive parts.
    means = {float(clips.mean()) for _ in range(6) for clips, _ in dataset.as_numpy_iterator()}
    assert len(means) > 1


def test_names_of_parts(tmp_path):
    for name in ("long/part_0.mp4", "long_0.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_video(tmp_path / name, moving_gradient(3))
    record = Record(str(tmp_path / "long"), (0,), parts=(0,))
    assert VideoParts("_{}.mp4").open(record, RNG).path.endswith("long_0.mp4")
    assert VideoParts().open(record, RNG).path.endswith("long/part_0.mp4")
    with pytest.raises(ValueError, match="without parts"):
        VideoParts().open(Record("long", (0,)), RNG)
    with pytest.raises(ValueError, match="expected an annotation file"):
        VideoParts().find(tmp_path)


def test_labels_that_were_not_searched(tiny_videos):
    (tiny_videos / "tags.json").write_text(
        '[{"filename": "left/video0.mp4", "label": {"scene": [1]}},'
        ' {"filename": "left/video2.mp4", "label": {"action": [0, 2], "scene": []}}]'
    )
    annotation_format = TaggedJson({"action": 3, "scene": 2})
    dataset = video_dataset(
        tiny_videos / "tags.json",
        tiny_videos,
        annotation_format=annotation_format,
        classes=annotation_format.classes,
        sampling=SampleFrames(1),
        transforms=PLAIN,
    )
    ((_, labels),) = dataset.as_numpy_iterator()
    assert labels.tolist() == [[-1, -1, -1, 0, 1], [1, 0, 1, 0, 0]]


def test_decoder_resize_is_for_videos(tiny_videos):
    options = {"sampling": SampleFrames(1), "transforms": PLAIN, "decoder_resize": True}
    with pytest.raises(ValueError, match="expected Videos"):
        video_dataset(tiny_videos / "list.txt", source=Images(), **options)


def test_sources_of_other_types(tmp_path):
    class Numbers:
        """A user-defined source: each frame is its index."""

        dtype = "float32"
        total_frames = 20

        def open(self, record, rng):
            return self

        def read(self, indices):
            return np.broadcast_to(indices.reshape(-1, 1, 1, 1), (indices.size, 4, 4, 1)).astype(
                np.float32
            )

        def shape(self, clips, clip_len):
            return (clips * clip_len, 4, 4, 1)

    (tmp_path / "list.txt").write_text("any 0\n")
    Numbers.annotation_format = staticmethod(lambda file: [Record("any", (0,))])
    transforms = (Normalize((1.0,), (2.0,)),)
    sampling = SampleFrames(2, 3)
    dataset = video_dataset(
        tmp_path / "list.txt", source=Numbers(), sampling=sampling, transforms=transforms
    )
    ((clips, _),) = dataset.as_numpy_iterator()
    expected = (sampling(20, training=False)[0] - 1) / 2
    np.testing.assert_allclose(clips[0, :, 0, 0, 0], expected)


class TestOpenCV:
    """Compares reading with OpenCV to PyAV."""

    @pytest.fixture(autouse=True)
    def opencv(self):
        pytest.importorskip("cv2")

    def test_frames_equal_those_of_pyav(self, tmp_path):
        times = [0, 1, 2, 5, 6, 11, 12, 13, 20, 21]
        path = write_video(tmp_path / "a.mp4", moving_gradient(10), times=times, bf="2", g="4")
        video = Videos("opencv").open(Record(str(path), (0,)))
        reference = open_video(path)
        assert video.total_frames == reference.total_frames == 10
        indices = np.array([[9, 0, 4], [4, 5, 1]])
        difference = video.read(indices).astype(int) - reference.read(indices)
        assert np.abs(difference).max() <= 3

    def test_damaged_files(self, tiny_videos, tmp_path):
        for path, problem in ((tiny_videos / "bad.mp4", "cannot open"), ("none.mp4", "No such")):
            with pytest.raises(DecodeError, match=problem):
                Videos("opencv").open(Record(str(path), (0,)))

    def test_batches(self, tiny_videos):
        options = {"sampling": SampleFrames(1, num_clips=3), "transforms": PLAIN, "batch_size": 8}
        clips = [
            next(video_dataset(tiny_videos / "list.txt", tiny_videos, source=source, **options)
                 .as_numpy_iterator())[0]
            for source in (Videos("opencv"), Videos())
        ]  # fmt: skip
        assert np.abs(clips[0].astype(int) - clips[1]).max() <= 3


def test_without_opencv(monkeypatch, tiny_videos):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "keras-video\[opencv\]"'):
        Videos("opencv").open(Record(str(tiny_videos / "left" / "video2.mp4"), (0,)))


def test_leading_resizes_are_done_while_decoding(tmp_path):
    path = write_video(tmp_path / "part_0.mp4", moving_gradient(6))
    transform = Resize(short_side=24)
    record = Record(str(tmp_path), (0,), parts=(0,))
    for source in (Videos(), VideoParts(videos=Videos())):
        smaller = shrinking_source(source, (transform, ThreeCrop(24)))
        name = record if isinstance(source, VideoParts) else Record(str(path), (0,))
        opened = smaller.open(name, np.random.default_rng(0))
        frames = opened.read(np.array([[0, 2], [5, 2]]))
        assert frames.shape == (4, 24, 32, 3) and opened.total_frames == 6
        np.testing.assert_array_equal(frames, transform(open_video(path).read([0, 2, 5, 2])))
    for source in (Videos("opencv"), Images()):
        assert shrinking_source(source, (transform,)) is source
    assert shrinking_source(Videos(), (ThreeCrop(24),)) == Videos()
    with pytest.raises(ValueError, match="received shrink=.* with decoder='opencv'"):
        Videos("opencv", shrink=transform)
