"""The documentation site: documents, guides, model cards and API reference."""

import importlib.util
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CI = ROOT / ".ci"
pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("mkdocs"), reason="pip install keras-video[docs]"
)


@pytest.fixture
def build_site(monkeypatch):
    """The module `.ci/build_site.py`."""
    monkeypatch.syspath_prepend(str(CI))
    spec = importlib.util.spec_from_file_location("build_site", CI / "build_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_site_is_built(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CI / "build_site.py"), str(tmp_path / "site")]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]

    def text(page):
        return (tmp_path / "site" / page / "index.html").read_text(encoding="utf-8")

    assert "temporal shift" in text("api/applications").lower()
    assert 'id="keras_video.data.video_dataset"' in text("api/data")
    # Part of the constructors' docstrings is filled in at import time.
    assert "keras_video.applications.pretrained.load_pretrained" in text("api/applications")
    assert "quick_start.ipynb" in text("guides/quick_start")
    assert "keras_video.data.protocol_dataset" in text("api/data")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["link", "docstring"])
def test_a_broken_page_is_an_error(build_site, tmp_path, monkeypatch, capfd, fault):
    def write_faulty(folder, modules):
        folder.mkdir()
        faulty = {"link": "[card](../applications/none.md)", "docstring": "::: keras_video.nothing"}
        (folder / "keras_video.md").write_text(faulty[fault])

    monkeypatch.setattr(build_site, "PACKAGES", ())
    monkeypatch.setattr(build_site, "write_api", write_faulty)
    monkeypatch.setattr(sys, "argv", ["build_site.py", str(tmp_path / "site")])
    with pytest.raises(SystemExit) as caught:
        build_site.main()
    assert caught.value.code not in (0, None)
    assert {"link": "none.md", "docstring": "keras_video.nothing"}[fault] in capfd.readouterr().err


def test_names_without_a_docstring_are_reported(build_site):
    module = types.ModuleType("package")
    module.documented = test_the_site_is_built
    module.documented.__doc__ = "What it is."
    module.silent = lambda: None
    module.number = 3
    module.__all__ = ["documented", "silent", "number"]
    assert build_site.undocumented([module]) == ["package.silent"]


def test_only_members_that_a_class_documents_are_listed(build_site):
    from keras_video import data

    assert build_site.described_members(data.Videos) == ["open_file"]
    assert build_site.described_members(data.video_dataset) == []
