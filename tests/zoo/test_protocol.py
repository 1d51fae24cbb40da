"""How examples are prepared for a model: the phases of every row."""

import dataclasses

import pytest

from keras_video import zoo

pytestmark = pytest.mark.unit

ROWS = tuple(
    row
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted"), *zoo.rows(kind="example"))
    if row.constructor is not None
)


def test_a_protocol_matches_its_row_and_phase():
    wrong, checked = [], 0
    for row in ROWS:
        for phase in ("train", "val", "test"):
            if getattr(row.sampling, phase) is None:
                continue
            protocol = row.protocol(phase)
            stated = {
                "sampling": getattr(row.sampling, phase),
                "spatial": row.spatial and getattr(row.spatial, phase),
                "normalize": row.normalize,
                "audio": row.audio,
                "view_frames": row.view_frames if phase == "test" else None,
                "score_average": row.score_average or "prob",
                "max_views": row.max_views,
                "row": row.id,
                "phase": phase,
                "training": phase == "train",
            }
            actual = {name: getattr(protocol, name) for name in stated}
            checked += 1
            if actual != stated:
                wrong.append((row.id, phase))
    assert not wrong and checked > 700


def test_flow_is_marked_where_frames_are_flipped():
    modalities = {(row.modality, row.protocol("train").flow) for row in ROWS if row.sampling.train}
    assert ("Flow", True) in modalities and ("RGB", True) not in modalities
    assert not any(row.protocol("test").flow for row in ROWS)


def test_input_modalities():
    kinds = {row.modality: row.protocol("test").modality for row in ROWS}
    assert kinds == {"RGB": "video", "Flow": "video", "Audio": "audio", "RGB+Audio": "audiovisual"}


def test_stored_protocols_have_only_test_settings():
    stored = zoo.row("t41_r00").protocol("test").facts()
    assert set(stored) == {
        "sampling", "normalize", "spatial", "audio", "view_frames", "score_average", "max_views",
        "row",
    }  # fmt: skip
    for row in ROWS:
        for phase in ("train", "test"):
            if getattr(row.sampling, phase) is not None and row.score_average is not None:
                protocol = row.protocol(phase)
                assert zoo.Protocol.read(protocol.facts()) == protocol


def test_unpublished_and_unknown_phases_are_rejected():
    row = next(row for row in ROWS if row.sampling.train is None)
    with pytest.raises(ValueError, match="no settings are published for this phase"):
        row.protocol("train")
    assert zoo.trainable(row).protocol("train").training
    with pytest.raises(ValueError, match="phase='holiday': expected one of train, val, test"):
        row.protocol("holiday")
    with pytest.raises(ValueError, match="phase='holiday': expected one of train, val, test"):
        dataclasses.replace(row.protocol("test"), phase="holiday")
