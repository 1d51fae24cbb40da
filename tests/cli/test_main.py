"""The command `keras-video`: output and error reports."""

import dataclasses
import importlib
import re
import shlex
import textwrap

import pytest
import tensorflow as tf

from keras_video import data
from keras_video.cli import main as program
from keras_video.cli import train
from keras_video.training.settings import RunSettings
from keras_video.zoo.catalog import only_row
from tests.cli.running import start


def test_without_a_command_all_commands_are_listed(capsys):
    assert program.main([]) == 2
    assert program.main(["--help"]) == 0
    text = capsys.readouterr().out
    for names in program.COMMANDS.values():
        for name in names:
            assert f"\n  {name} " in text


@pytest.mark.parametrize("name", [n for names in program.COMMANDS.values() for n in names])
def test_help_lists_every_flag_and_an_example(name, capsys):
    import importlib

    module = importlib.import_module(program._module(name))
    assert program.main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    for flag in program.module_flags(module).names():
        assert f"--{flag} " in text or f"--[no]{flag} " in text or f"--{flag}\n" in text
    assert f"    keras-video {name}" in text


def examples(name):
    """The command lines in a command's help, as lists of words."""
    module = importlib.import_module(program._module(name))
    text = textwrap.dedent(module.__doc__).replace("\\\n", " ")
    lines = re.findall(rf"^    keras-video {name}(?: .*)?$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[1 + len(name.split()) :] for line in lines]


@pytest.mark.parametrize("name", program._names())
def test_examples_can_be_pasted(name):
    module = importlib.import_module(program._module(name))
    commands = examples(name)
    assert commands
    for words in commands:
        options, rest = program.module_flags(module).parse(name, words)
        assert not rest or module.TAKES_ARGUMENTS
        row = getattr(options, "row", None)
        if row is not None:
            assert only_row(row).constructor is not None
        assert not any(word.startswith("-") for word in rest)


@pytest.mark.parametrize("name", program._names())
def test_help_is_in_groups_and_fits(name, capsys):
    assert program.main(["help", *name.split()]) == 0
    text = capsys.readouterr().out
    module = importlib.import_module(program._module(name))
    flags = program.module_flags(module)
    titles = [f"\n{title}:\n" for title in flags._groups]
    places = [text.index(title) for title in titles]
    assert places == sorted(places) and len(flags._groups) >= 2
    assert max(map(len, text.splitlines())) <= 100


def test_the_overview_has_an_example_and_prepare_lists_its_own(capsys):
    assert program.main([]) == 2
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("    keras-video train"))
    from keras_video.cli import train

    options, _ = program.module_flags(train).parse("train", shlex.split(line)[2:])
    assert only_row(options.row).kind == "example"
    assert program.main(["prepare", "--help"]) == 0
    listed = capsys.readouterr().out
    assert "prepare lists" in listed and "prepare resized" in listed and "webcam" not in listed
    assert program.main(["prepare", "tfrecords", "--list=a.txt"]) == 2
    assert "has been replaced by keras-video pack" in capsys.readouterr().err


def test_every_setting_of_a_run_has_a_flag():
    flags = program.module_flags(train)
    assert {field.name for field in dataclasses.fields(RunSettings)} <= set(flags.names())


def test_a_flag_has_the_same_type_everywhere():
    """A flag shared by several commands has the same type everywhere."""
    import importlib

    kinds = {}
    for names in program.COMMANDS.values():
        for name in names:
            defined = program.module_flags(importlib.import_module(program._module(name)))
            for flag in defined.names():
                kinds.setdefault(flag, set()).add(defined.kind(flag).removesuffix(" enum"))
    assert {flag: kind for flag, kind in kinds.items() if len(kind) > 1} == {}
    assert not {"root", "checkpoint", "init", "report"} & set(kinds)


@pytest.mark.parametrize(
    "arguments, status, named",
    [
        (["trian"], 2, "received the command 'trian', expected one of train, pretrain"),
        (["trian"], 2, "Did you mean train"),
        (["train", "--row=tsm_r50_1x1x8_50e_kinetics400_rgb"], 1, "t30_r01 (frames of short-side"),
        (["evaluate", "--row=i3d_r50_32x2x1_100e_kinetics400_rgb"], 1, "give the id of one: t02"),
        (["train", "--row=x_tsn", "--split_seed=3"], 1, "split_seed=3: has no effect without data"),
        (["train", "--row=x_tsn", "--data=nowhere"], 1, "received nowhere, expected a folder"),
        (
            ["train", "--row=x_tsn", "--data=a", "--train_list=b", "--val_list=c"],
            1,
            "give a folder",
        ),
        (["train", "--row=x_tsn", "--export=onx"], 1, "export='onx': expected one of tf_saved"),
        (
            ["train", "--row=x_tsn", "--early_stopping=2", "--novalidate"],
            1,
            "no effect without val",
        ),
        (["webcam", "--camera=977"], 1, "cannot decode 977: there is no camera at /dev/video977"),
        (["webcam", "--camera=nowhere.mp4"], 1, "cannot decode nowhere.mp4: there is no such file"),
        (["evaluate", "--model=nowhere.keras", "--list=a"], 1, "nowhere.keras"),
        (["export", "--model=nowhere.keras", "--out=a.onnx"], 1, "there is no such file"),
        (["zoo", "--family=tns"], 1, "Did you mean"),
        (["train"], 2, "row"),
        (["train", "--rwo=x"], 2, "rwo"),
        (["train", "--row=nothing"], 1, "'nothing' is not the name or id of a row"),
        (["train", "--row=x_tsn", "--batch_size=no"], 2, "batch_size"),
        (["train", "--row=x_tsn", "--train_list=a.txt"], 1, "give both or neither"),
        (["train", "--row=x_tsn", "extra"], 2, "received ['extra'], expected flags only"),
        (["fuse"], 1, "received no score files"),
        (["prepare", "cake"], 2, "'prepare cake'"),
    ],
)
def test_errors_are_a_line_or_two(arguments, status, named, capsys):
    assert program.main(arguments) == status
    text = capsys.readouterr().err
    assert named in text and "Traceback" not in text
    assert len(text.strip().splitlines()) <= 2


def test_the_traceback_is_shown_on_request(capsys):
    assert program.main(["train", "--row=nothing", "--traceback"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_says_how_to_resume(monkeypatch, capsys):
    from keras_video.cli import train

    def interrupt(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupt)
    assert program.main(["train", "--row=x_tsn"]) == 130
    assert "run again to resume" in capsys.readouterr().err


def test_the_package_is_the_command():
    run = start("zoo", "--family=c3d")
    assert run.returncode == 0, run.stderr
    assert "c3d_sports1m_16x1x1_45e_ucf101_rgb" in run.stdout


def test_tensorflow_messages_are_reduced_to_the_python_error():
    def fails():
        try:
            raise OSError(5, "no data")
        except OSError as error:
            raise data.DecodeError("a clip.mp4", "it is damaged") from error

    with pytest.raises(tf.errors.OpError) as caught:
        list(tf.data.Dataset.range(1).map(lambda _: tf.py_function(fails, [], tf.int32)))
    assert program.error_text(caught.value) == "cannot decode a clip.mp4: it is damaged"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\nlines  of it"), "two lines of it"),
        (KeyError("no such layer"), "no such layer"),
        (RuntimeError("odd"), "RuntimeError: odd (--traceback shows where)"),
        (MemoryError("8 GiB"), "out of memory: 8 GiB Try a smaller --batch_size or --max_views."),
        (ValueError(), "ValueError"),
    ],
)
def test_one_line_errors(error, text):
    assert program.error_text(error) == text


def test_long_errors_are_truncated(capsys):
    text = program.error_text(ValueError("word " * 1000))
    assert len(text) < 1300 and text.endswith("(--traceback shows all)")


@pytest.mark.slow(every_change=True)
def test_commands_start_without_tensorflow_messages():
    run = start("summary", "--row=x3d_s_13x6x1_facebook_kinetics400_rgb", "--runs=0")
    assert run.returncode == 0
    assert run.stderr == ""
