"""The command `keras-video`: what it prints, and how errors end."""

import pytest

from keras_video.cli import main as program
from tests.cli.running import start


def test_without_a_command_all_are_listed(capsys):
    assert program.main([]) == 2
    assert program.main(["--help"]) == 0
    text = capsys.readouterr().out
    for names in program.COMMANDS.values():
        for name in names:
            assert f"\n  {name} " in text


@pytest.mark.parametrize("name", [n for names in program.COMMANDS.values() for n in names])
def test_help_lists_every_flag_and_a_line_to_paste(name, capsys):
    import importlib

    module = importlib.import_module(program._module(name))
    assert program.main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    for flag in program.module_flags(module).names():
        assert f"--{flag} " in text or f"--[no]{flag} " in text or f"--{flag}\n" in text
    assert f"    keras-video {name}" in text


def test_one_name_means_one_thing():
    """A flag of several commands has one kind of value everywhere."""
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


def test_an_interruption_says_how_to_go_on(monkeypatch, capsys):
    from keras_video.cli import train

    def interrupt(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupt)
    assert program.main(["train", "--row=x_tsn"]) == 130
    assert "goes on" in capsys.readouterr().err


def test_the_package_is_the_command():
    run = start("zoo", "--family=c3d")
    assert run.returncode == 0, run.stderr
    assert "c3d_sports1m_16x1x1_45e_ucf101_rgb" in run.stdout
