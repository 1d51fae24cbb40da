"""The table of rows, in Python and on the command line; searching rows."""

import csv
import dataclasses
import io
import json

import pytest

from keras_video import zoo
from keras_video.cli.main import main
from keras_video.zoo import catalog, listing

pytestmark = pytest.mark.unit


def test_a_table_fits_and_has_every_row():
    lines = zoo.table().splitlines()
    assert max(map(len, lines)) <= 100
    for row in zoo.rows():
        assert any(line.startswith(row.name) for line in lines), row.id
    for row in zoo.rows():
        if len(catalog.rows_named(row.name)) > 1:
            assert any(line.startswith(f"{row.name} ({row.id})") for line in lines)


def test_figures_follow_the_name():
    row = zoo.row("t32_r00")
    (line,) = (line for line in zoo.table((row,)).splitlines() if line.startswith(row.name))
    assert line.split()[1:] == ["45.58", "75.02", "33.0", "23.86", "2x3", "-"]
    (line,) = zoo.table(
        (zoo.row("vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400"),)
    ).splitlines()[-1:]
    assert line.endswith("CC-BY-NC-4.0")
    tags = next(row for row in zoo.rows(task="tagging") if row.reported.mean_average_precision)
    assert f"{tags.reported.mean_average_precision:.2f}    mAP" in zoo.table((tags,))


def test_rows_are_sorted_and_chosen_by_cost():
    chosen = zoo.rows(dataset="kinetics400", max_gflops=10, sort="top1")
    assert len(chosen) > 5 and all(row.flops <= 10e9 for row in chosen)
    known = [row.reported.top1 for row in chosen if row.reported.top1 is not None]
    assert known == sorted(known, reverse=True)
    assert [row.reported.top1 for row in chosen][: len(known)] == known
    costs = [row.flops for row in zoo.rows(dataset="kinetics400", sort="gflops")]
    least = [cost for cost in costs if cost is not None]
    assert least == sorted(least) and costs[len(least) :] == [None] * (len(costs) - len(least))
    small = zoo.rows(max_parameters=5)
    assert small and all(row.parameters <= 5e6 for row in small)


def test_every_row_has_one_task():
    every = [row.id for task in zoo.TASKS for row in zoo.rows(task=task)]
    assert sorted(every) == sorted(row.id for row in zoo.rows())
    assert {row.modality for row in zoo.rows(task="audio")} == {"Audio"}
    assert zoo.row("t52_r00").task == "tagging"
    assert zoo.row("t41_r00").task == "classification"


@pytest.mark.parametrize("format", ["csv", "md", "json"])
def test_other_formats_hold_the_same_facts(format):
    rows = zoo.rows("tsm", "sthv1")
    text = zoo.table(family="tsm", dataset="sthv1", format=format)
    if format == "json":
        read = json.loads(text)
        assert read == [listing.facts(row) for row in rows]
    elif format == "csv":
        read = list(csv.DictReader(io.StringIO(text)))
    else:
        titles, _, *lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
        read = [dict(zip(titles, line, strict=True)) for line in lines]
    assert [entry["id"] for entry in read] == [row.id for row in rows]
    assert [float(entry["top1"]) for entry in read] == [row.reported.top1 for row in rows]
    assert [entry["checkpoint"] for entry in read] == [row.checkpoint.file for row in rows]


def test_an_empty_table():
    assert zoo.table((), format="table") == ""
    assert zoo.table((), format="json") == "[]"
    assert zoo.table((), format="csv").startswith("id,name")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "html"}, "format='html': expected one of table, csv, md, json"),
        ({"sort": "top2"}, "sort='top2'.*Did you mean top"),
        ({"task": "tags"}, "task='tags'.*tagging"),
        ({"rows": (), "dataset": "sthv1"}, "rows are given, and {'dataset': 'sthv1'}"),
    ],
)
def test_invalid_arguments_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.table(**arguments)


def test_rows_are_found_by_a_pattern():
    matches = zoo.search("*tsm*r50*")
    assert matches and all("tsm" in row.name and "r50" in row.name for row in matches)
    assert {row.id for row in zoo.search("*TSM*R50*")} == {row.id for row in matches}
    assert {row.id for row in zoo.search("tsm_r50")} <= {row.id for row in matches}
    assert [row.id for row in zoo.search("t41_r0[01]")] == ["t41_r00", "t41_r01"]
    assert zoo.search("*no such row*") == ()


def test_a_row_prints_on_one_line_and_converts_to_a_dictionary():
    for row in (*zoo.rows(), *zoo.rows(kind="example")):
        assert "\n" not in repr(row) and len(repr(row)) < 250
        assert row.id in repr(row)
        facts = dataclasses.asdict(row)
        assert facts["arguments"] == row.arguments and json.loads(json.dumps(facts))
    changed = dataclasses.replace(zoo.row("t41_r00"), arguments={"depth": 3})
    assert dataclasses.asdict(changed)["arguments"] == {"depth": 3}


def test_an_ambiguous_name_is_rejected_with_the_differences():
    with pytest.raises(ValueError) as caught:
        catalog.only_row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    text = str(caught.value)
    for part in ("3 rows", "t41_r00 (", "t41_r01 (frames of short-side 256", "t44_r00 ("):
        assert part in text, text
    assert "\n" not in text
    names = [row.name for row in catalog.all_rows()]
    for name in {name for name in names if names.count(name) > 1}:
        facts = catalog.distinguishing_facts(catalog.rows_named(name))
        assert len(set(map(tuple, facts.values()))) == names.count(name), facts
    assert catalog.only_row("t41_r01").id == "t41_r01"
    assert catalog.only_row("tsn_r50_1x1x8_100e_kinetics400_rgb").id == "t41_r06"


def test_the_command(capsys):
    assert main(["zoo", "--family", "tsm", "--dataset=sthv1", "--sort=top1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("sthv1") and "license" in lines[0]
    assert lines[-1] == f"{len(zoo.rows('tsm', 'sthv1'))} rows"
    assert main(["zoo", "*tsm*r50*", "--format=json", "--max_gflops=50"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert read and all("tsm" in row["name"] and row["gflops"] <= 50 for row in read)
    assert main(["zoo", "--family", "tns"]) == 1
    assert "Did you mean" in capsys.readouterr().err
    assert main(["zoo", "a", "b"]) == 1
    assert "expected one pattern" in capsys.readouterr().err
