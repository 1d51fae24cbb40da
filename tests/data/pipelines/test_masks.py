import numpy as np
import pytest

from keras_video.data import (
    AnnotationError,
    EpochCounter,
    MultiScaleCrop,
    Normalize,
    Resize,
    RunningCellMask,
    SampleFrames,
    TubeMask,
    masked_dataset,
    unlabeled_records,
)

GRID = (2, 4, 4)
TRANSFORMS = (
    Resize(short_side=40),
    MultiScaleCrop(32, (1, 0.8)),
    Normalize((120.0, 120.0, 120.0), (60.0, 60.0, 60.0)),
)


def test_tubes_hide_the_same_positions_at_all_times():
    mask = TubeMask((3, 4, 5), 0.9)
    visible_counts = np.zeros(20)
    drawn = set()
    for seed in range(40):
        hidden = mask((seed, 1)).numpy().reshape(3, 20)
        assert (hidden == hidden[0]).all() and hidden[0].sum() == 18
        visible_counts += ~hidden[0]
        drawn.add(hidden.tobytes())
    assert len(drawn) > 30
    assert visible_counts.min() > 0  # every position is visible in some draw
    assert TubeMask((1, 4, 6), 22 / 24)((0, 0)).numpy().sum() == 22


def test_running_cells_move_by_one_position_per_step():
    mask = RunningCellMask((4, 4, 6), 0.5)
    drawn = set()
    for seed in range(12):
        hidden = mask((seed, 1)).numpy().reshape(4, 4, 6)
        cells = hidden.reshape(4, 2, 2, 3, 2).transpose(0, 1, 3, 2, 4).reshape(4, 6, 4)
        assert (cells == cells[:, :1]).all()  # all cells are equal
        assert (cells.sum(-1) == 2).all()
        np.testing.assert_array_equal(hidden.sum(0), 2)  # every position is hidden half of the time
        for time in range(3):
            np.testing.assert_array_equal(cells[time + 1, 0], np.roll(cells[time, 0], -1))
        drawn.add(hidden.tobytes())
    assert len(drawn) == 4
    assert RunningCellMask((2, 2, 2), 0.75)((0, 0)).numpy().sum() == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TubeMask((2, 2, 2), 0.1), r"TubeMask: received grid=\(2, 2, 2\), ratio=0.1"),
        (lambda: TubeMask((2, 2, 2), 1.0), "expected at least one hidden and one visible position"),
        (lambda: RunningCellMask((2, 3, 2)), "RunningCellMask: received grid=.* expected even"),
        (lambda: RunningCellMask((2, 2, 2), 0.1), "0.25, 0.5 or 0.75"),
    ],
)
def test_masks_that_hide_all_or_nothing_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def passes(folder, count=1, **options):
    dataset = masked_dataset(
        unlabeled_records(folder / "list.txt", folder),
        sampling=SampleFrames(1, num_clips=4),
        transforms=TRANSFORMS,
        masks={"mask": TubeMask(GRID, 0.75), "decoder_mask": RunningCellMask(GRID)},
        batch_size=4,
        **options,
    )
    assert len(dataset) == 2
    return [list(dataset.as_numpy_iterator()) for _ in range(count)]


def test_clips_and_masks_depend_on_seed_epoch_and_index_alone(tiny_videos):
    first, second = passes(tiny_videos, 2, epoch=EpochCounter())
    assert {name: value.shape for name, value in first[0].items()} == {
        "clip": (4, 4, 32, 32, 3),
        "mask": (4, 32),
        "decoder_mask": (4, 32),
    }
    assert first[0]["mask"].dtype == bool
    assert (first[0]["mask"].sum(1) == 24).all() and (first[0]["decoder_mask"].sum(1) == 16).all()
    # A run resumed at the second epoch receives the masks of an uninterrupted one.
    (resumed,) = passes(tiny_videos, epoch=EpochCounter(1), num_parallel_calls=1)
    for batch, other in zip(second, resumed, strict=True):
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])
    assert any(
        (batch["mask"] != other["mask"]).any() for batch, other in zip(first, second, strict=True)
    )
    (other,) = passes(tiny_videos, seed=1)
    assert not np.array_equal(first[0]["mask"], other[0]["mask"])
    rows = np.concatenate([batch["mask"] for batch in first])
    assert len({row.tobytes() for row in rows}) == len(rows)


def test_repeated_clips_have_separate_masks(tiny_videos):
    ((batch, _),) = passes(tiny_videos, repeats=3)
    assert batch["clip"].shape[0] == batch["mask"].shape[0] == 12
    for video in range(4):
        own = slice(3 * video, 3 * video + 3)
        assert len({row.tobytes() for row in batch["mask"][own]}) == 3


def test_lists_and_folders_without_labels(tiny_videos, tmp_path):
    records = [record for record in unlabeled_records(tiny_videos) if "bad" not in record.path]
    assert len(records) == 8 and all(record.labels == (0,) for record in records)
    lines = [record.path for record in records[:3]]
    (tmp_path / "plain.txt").write_text("\n".join(lines) + "\n")
    assert [r.path for r in unlabeled_records(tmp_path / "plain.txt")] == lines
    labeled = unlabeled_records(tiny_videos / "list.txt", tiny_videos)
    assert {r.path for r in labeled} == {r.path for r in records}
    (tmp_path / "absent.txt").write_text(f"{lines[0]} 3\nabsent.mp4 4\n")
    with pytest.raises(AnnotationError, match=r"absent.txt:2: received 'absent.mp4 4'"):
        unlabeled_records(tmp_path / "absent.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: received no videos"):
        unlabeled_records(tmp_path / "empty")


def test_a_name_that_ends_in_a_number_is_a_name(tiny_videos, tmp_path):
    video = tmp_path / "take 7"
    video.write_bytes((tiny_videos / "left" / "video0.mp4").read_bytes())
    (tmp_path / "list.txt").write_text("take 7\ntake 7 1\n")
    records = unlabeled_records(tmp_path / "list.txt", tmp_path)
    assert [record.path for record in records] == [str(video)] * 2
