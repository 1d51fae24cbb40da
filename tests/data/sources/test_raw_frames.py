import numpy as np
import pytest

from keras_video.data import (
    CenterCrop,
    DecodeError,
    DecodeReport,
    Flip,
    FlowFrames,
    Images,
    Normalize,
    RandomResizedCrop,
    RawFrames,
    Resize,
    SampleFrames,
    dataset_from_records,
    offset_lines,
    pack_records,
    tfrecord_dataset,
    video_dataset,
    video_dataset_from_directory,
    video_lines,
)
from keras_video.data.annotations.records import Record
from keras_video.data.decoding.images import read_image
from keras_video.data.sources.frame_files import folders_of_frames, frame_numbers, frames_of
from tests.data.decoding.test_images import with_orientation
from tests.images import write_image
from tests.videos import moving_gradient

SHAPE = (24, 32)
FRAMES = np.stack(moving_gradient(9, *SHAPE))
SEGMENTS = SampleFrames(1, num_clips=3)


def write_frames(folder, frames=FRAMES, template="img_{:05}.png", start=1):
    for number, frame in enumerate(frames, start=start):
        write_image(folder / template.format(number), frame)
    return folder


def write_flow(folder, frames=FRAMES, template="{}_{:05d}.png", start=1):
    for number, frame in enumerate(frames, start=start):
        write_image(folder / template.format("x", number), frame[..., :1])
        write_image(folder / template.format("y", number), frame[..., 1:2])
    return folder


def opened(source, path, **facts):
    return source.open(Record(str(path), (0,), **facts))


@pytest.mark.parametrize("template", ["img_{:05}.png", "{:d}.png", "rgb/{:06d}.png", "a+b{}.png"])
@pytest.mark.parametrize("start", [0, 1, 7])
def test_frames_are_counted_from_the_first_file(template, start, tmp_path):
    write_frames(tmp_path, template=template, start=start)
    (tmp_path / "other_00000.png").write_bytes(b"")
    video = opened(RawFrames(template), tmp_path)
    assert video.total_frames == 9
    frames = video.read(np.array([[4, 0], [8, 4]]))
    np.testing.assert_array_equal(frames, FRAMES[[4, 0, 8, 4]])
    listed = opened(RawFrames(template), tmp_path, total_frames=5)
    assert listed.total_frames == 5
    np.testing.assert_array_equal(listed.read([[4]]), FRAMES[[4]])


def test_stated_start_and_offset(tmp_path):
    write_frames(tmp_path, start=0)
    source = RawFrames("img_{:05}.png", start_index=1)
    assert opened(source, tmp_path).total_frames == 8
    np.testing.assert_array_equal(opened(source, tmp_path).read([[0]]), FRAMES[[1]])
    part = opened(RawFrames("img_{:05}.png"), tmp_path, total_frames=3, offset=4)
    np.testing.assert_array_equal(part.read([[0, 1, 2]]), FRAMES[4:7])
    with pytest.raises(DecodeError, match="requested frame 3; found 3"):
        part.read([[3]])
    rest = opened(RawFrames("img_{:05}.png"), tmp_path, offset=4)
    assert rest.total_frames == 5


def test_folders_without_frames(tmp_path):
    (tmp_path / "empty").mkdir()
    for path, problem in (("empty", "holds no frames named img"), ("none", "No such file")):
        with pytest.raises(DecodeError, match=f"{path}: .*{problem}"):
            opened(RawFrames(), tmp_path / path)
    with pytest.raises(DecodeError, match="holds no frames"):
        opened(RawFrames(), tmp_path, total_frames=0)


def test_missing_frames_and_frames_of_unequal_size(tmp_path):
    write_frames(tmp_path)
    (tmp_path / "img_00003.png").unlink()
    write_image(tmp_path / "img_00005.png", FRAMES[0][:8])
    video = opened(RawFrames("img_{:05}.png"), tmp_path)
    with pytest.raises(DecodeError, match="img_00003.png: No such file"):
        video.read([[2]])
    with pytest.raises(DecodeError, match="size changes from 32x24 to 32x8; requested frame 4"):
        video.read([[0, 4]])


def test_folder_listing_follows_changes(tmp_path):
    write_frames(tmp_path / "v", FRAMES[:3])
    assert frame_numbers(tmp_path / "v", "img_{:05}.png") == (1, 3)
    assert frame_numbers(tmp_path / "v", "{:05}.png") == (0, -1)
    write_image(tmp_path / "v" / "img_00004.png", FRAMES[3])
    assert frame_numbers(tmp_path / "v", "img_{:05}.png") == (1, 4)


@pytest.mark.parametrize("source,template", [(RawFrames, "img.jpg"), (RawFrames, "{}_{}.jpg"),
                                             (FlowFrames, "img_{:05}.jpg")])  # fmt: skip
def test_templates_are_checked(source, template):
    with pytest.raises(ValueError, match=f"received template='{template}'"):
        source(template)


@pytest.mark.parametrize("template", ["{}_{:05d}.png", "flow_{}_{:05d}.png", "{}/{:05d}.png"])
def test_flow_pairs(template, tmp_path):
    write_flow(tmp_path, template=template, start=0)
    video = opened(FlowFrames(template), tmp_path)
    assert video.total_frames == 9
    np.testing.assert_array_equal(video.read([[3, 0], [3, 8]]), FRAMES[[3, 0, 3, 8], ..., :2])


def test_stacked_flow_has_the_pairs_of_a_clip_as_channels(tmp_path):
    write_flow(tmp_path)
    clips = opened(FlowFrames("{}_{:05d}.png", stacked=True), tmp_path).read([[0, 1, 2], [5, 5, 6]])
    assert clips.shape == (2, *SHAPE, 6)
    for clip, frames in zip(clips, ([0, 1, 2], [5, 5, 6]), strict=True):
        for place, frame in enumerate(frames):
            np.testing.assert_array_equal(clip[..., 2 * place], FRAMES[frame, ..., 0])
            np.testing.assert_array_equal(clip[..., 2 * place + 1], FRAMES[frame, ..., 1])


def test_flow_of_unequal_sizes(tmp_path):
    write_flow(tmp_path)
    write_image(tmp_path / "y_00002.png", FRAMES[0][:8, :, :1])
    with pytest.raises(DecodeError, match="x_00002.png and y_00002.png differ in size"):
        opened(FlowFrames("{}_{:05d}.png"), tmp_path).read([[1]])


def test_batches_of_frames(tmp_path):
    for name in ("a", "b"):
        write_frames(tmp_path / name)
    (tmp_path / "list.txt").write_text("a 9 0\nb 6 1\n")
    dataset = video_dataset(
        tmp_path / "list.txt",
        tmp_path,
        source=RawFrames("img_{:05}.png"),
        sampling=SEGMENTS,
        transforms=(CenterCrop(16),),
    )
    assert dataset.element_spec[0].shape.as_list() == [None, 3, 16, 16, 3]
    ((clips, labels),) = dataset.as_numpy_iterator()
    assert labels.tolist() == [0, 1]
    for clip, total in zip(clips, (9, 6), strict=True):
        indices = SEGMENTS(total, training=False)[:, 0]
        np.testing.assert_array_equal(clip, FRAMES[indices, 4:20, 8:24])


def test_batches_of_flow(tmp_path):
    write_flow(tmp_path / "a")
    (tmp_path / "list.txt").write_text("a 2 5 1\n")
    dataset = video_dataset(
        tmp_path / "list.txt",
        tmp_path,
        annotation_format=offset_lines,
        source=FlowFrames("{}_{:05d}.png", stacked=True),
        sampling=SampleFrames(2, num_clips=2),
        transforms=(CenterCrop(16), Flip(1.0, flow=True), Normalize((128, 128), (128, 128))),
        training=True,
    )
    assert dataset.element_spec[0].shape.as_list() == [None, 2, 16, 16, 4]
    ((clips, _),) = dataset.as_numpy_iterator()
    starts = []
    for segment in clips[0]:
        x = np.round(127 - segment[..., 0][:, ::-1] * 128)
        starts += [f for f in range(2, 7) if np.array_equal(FRAMES[f, 4:20, 8:24, 0], x)]
        y = np.round(segment[..., 3][:, ::-1] * 128 + 128)
        np.testing.assert_array_equal(y, FRAMES[starts[-1] + 1, 4:20, 8:24, 1])
    assert len(starts) == 2 and starts == sorted(starts)


def test_folders_of_classes(tmp_path):
    for name in ("run/v1", "run/v2", "sit/deeper/v3"):
        write_frames(tmp_path / name, FRAMES[:4])
    (tmp_path / "sit" / "notes").mkdir()
    source = RawFrames("img_{:05}.png")
    transforms = (CenterCrop(16),)
    dataset = video_dataset_from_directory(
        tmp_path, source=source, sampling=SEGMENTS, transforms=transforms
    )
    assert dataset.class_names == ["run", "sit"] and len(dataset.file_paths) == 3
    ((clips, labels),) = dataset.as_numpy_iterator()
    assert labels.tolist() == [0, 0, 1] and clips.shape[0] == 3
    below = folders_of_frames(tmp_path, "v3/img_{:05}.png")
    assert below == [tmp_path / "sit" / "deeper"]


def test_damaged_folders_are_skipped_and_reported(tmp_path):
    for name in ("a", "b", "c"):
        write_frames(tmp_path / name)
    for path in (tmp_path / "b").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "list.txt").write_text("a 0\nb 0\nc 1\n")
    report = DecodeReport()
    dataset = video_dataset(
        tmp_path / "list.txt",
        tmp_path,
        annotation_format=video_lines,
        source=RawFrames("img_{:05}.png"),
        sampling=SEGMENTS,
        transforms=(CenterCrop(16),),
        on_error="skip",
        report=report,
    )
    ((_, labels),) = dataset.as_numpy_iterator()
    assert labels.tolist() == [0, 1]
    (failure,) = report.failures
    assert "/b/img_" in failure.path


def test_a_record_with_everything_stated_needs_no_file_access():
    record = Record("nowhere", (0,), total_frames=5, offset=2)
    assert frames_of(record, "img_{:05}.jpg", start_index=1) == (3, 5)


def test_real_frames(real_clips):
    folder = real_clips / "samples" / "imgs"
    if not folder.is_dir():
        pytest.skip("no folder samples/imgs among the real clips")
    assert opened(RawFrames(), folder).total_frames == 10
    frames = opened(RawFrames(), folder).read([[0, 9]])
    assert frames.ndim == 4 and np.abs(np.diff(frames.astype(int), axis=0)).mean() > 0
    flow = opened(FlowFrames(), folder)
    assert flow.total_frames == 5 and flow.read([[0, 4]]).shape[-1] == 2


CROPPING = (
    Resize(short_side=24),
    RandomResizedCrop((16, 16)),
    Flip(),
    Normalize((0,) * 3, (1,) * 3),
)


def batches(folder, **options):
    options = {
        "sampling": SEGMENTS,
        "transforms": CROPPING,
        "training": True,
        "batch_size": 2,
    } | options
    return video_dataset(folder / "list.txt", folder, **options)


@pytest.mark.parametrize("height", [24, 30])
def test_frames_cropped_while_decoding_give_the_same_clips(tmp_path, monkeypatch, height):
    frames = np.stack(moving_gradient(9, height, 40))
    for name in ("a", "b", "c"):
        write_frames(tmp_path / name, frames, "img_{:05}.jpg")
    (tmp_path / "list.txt").write_text("a 9 0\nb 9 1\nc 9 1\n")
    cut = [clips.numpy() for clips, _ in batches(tmp_path, source=RawFrames())]
    monkeypatch.setattr(RawFrames, "cuts_early", False)
    whole = [clips.numpy() for clips, _ in batches(tmp_path, source=RawFrames())]
    for cropped, expected in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(cropped, expected)


def test_frames_cropped_while_decoding_are_still_checked(tmp_path):
    write_frames(tmp_path / "a", template="img_{:05}.jpg")
    video = opened(RawFrames(), tmp_path / "a")
    frames, inner = video.read_box([[0, 4]], lambda height, width: (3, 8, 12, 10))
    top, left, height, width = inner
    inside = frames[:, top : top + height, left : left + width]
    np.testing.assert_array_equal(inside, video.read([[0, 4]])[:, 3:15, 8:18])
    write_image(tmp_path / "a" / "img_00005.jpg", FRAMES[0][:20])
    with pytest.raises(DecodeError, match="the frame size changes from 32x24 to 32x20.*frame 4"):
        video.read_box([[0, 4]], lambda height, width: (3, 8, 12, 10))
    (tmp_path / "a" / "img_00005.jpg").write_bytes(b"\xff\xd8\xff damaged")
    with pytest.raises(DecodeError, match="img_00005.jpg: it is no intact image"):
        video.read_box([[0, 4]], lambda height, width: (3, 8, 12, 10))


def test_a_frame_of_another_format_is_cropped_like_the_others(tmp_path):
    write_frames(tmp_path / "a", template="img_{:05}.jpg")
    as_png = write_image(tmp_path / "b.png", FRAMES[4]).read_bytes()
    (tmp_path / "a" / "img_00005.jpg").write_bytes(as_png)
    video = opened(RawFrames(), tmp_path / "a")
    frames, (top, left, height, width) = video.read_box([[0, 4]], lambda *_: (3, 8, 12, 10))
    inside = frames[:, top : top + height, left : left + width]
    np.testing.assert_array_equal(inside[1], FRAMES[4][3:15, 8:18])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_frames_are_oriented_like_single_images(orientation, tmp_path):
    for number in (1, 2):
        path = write_image(tmp_path / "a" / f"img_{number:05}.jpg", FRAMES[number])
        with_orientation(path, orientation)
    frames = opened(RawFrames(), tmp_path / "a").read([[0, 1]])
    for number, frame in enumerate(frames, start=1):
        path = tmp_path / "a" / f"img_{number:05}.jpg"
        np.testing.assert_array_equal(frame, opened(Images(), path).read([[0]])[0])
    assert frames.shape[1:3] == ((32, 24) if orientation > 4 else (24, 32))


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_rotated_frames_are_cropped_and_packed_upright(orientation, tmp_path):
    for number, frame in enumerate(moving_gradient(4, 24, 40), start=1):
        stored, upright = (tmp_path / name / "a" / f"img_{number:05}.jpg" for name in "su")
        with_orientation(write_image(stored, frame), orientation)
        write_image(upright.with_suffix(".png"), read_image(stored))
    clips = {}
    for name, source in (("s", RawFrames()), ("u", RawFrames("img_{:05}.png"))):
        record = Record(str(tmp_path / name / "a"), (0,))
        options = {"sampling": SEGMENTS, "transforms": CROPPING, "training": True, "source": source}
        ((clips[name], _),) = dataset_from_records([record], **options).as_numpy_iterator()
        shards = tmp_path / f"shards_{name}"
        pack_records([record], shards, source, shards=1, show_progress=False)
        ((packed, _),) = tfrecord_dataset(shards, **options).as_numpy_iterator()
        np.testing.assert_array_equal(packed, clips[name])
    np.testing.assert_array_equal(clips["s"], clips["u"])


def test_frames_of_a_folder_may_be_stored_in_several_ways(tmp_path):
    path = write_image(tmp_path / "img_00001.jpg", FRAMES[0])
    stored = np.swapaxes(FRAMES[1], 0, 1)
    with_orientation(write_image(tmp_path / "img_00002.jpg", stored), 5)
    frames = opened(RawFrames(), tmp_path).read([[0, 1]])
    np.testing.assert_array_equal(frames[0], read_image(path))
    assert np.abs(frames[1].astype(int) - FRAMES[1]).mean() < 12


def test_flow_is_not_rotated(tmp_path):
    write_flow(tmp_path, template="{}_{:05d}.jpg")
    for path in tmp_path.iterdir():
        with_orientation(path, 6)
    assert opened(FlowFrames(), tmp_path).read([[0, 1]]).shape == (2, *SHAPE, 2)
