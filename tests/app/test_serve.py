from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from swissxmod import App, UserError, serve_app

pytest.importorskip("uvicorn", reason="the app is an extra: pip install swissxmod[app]")


def test_it_serves_this_computer_alone_until_ctrl_c(small_tagger: Callable[[str], Path]) -> None:
    tagger = small_tagger("Anna\tB-PER\nwohnt\tO\nin\tO\nChur\tB-LOC\n.\tO\n\n" * 16)
    words = [sys.executable, "-X", "importtime", "-m", "swissxmod", "app", "--model", str(tagger), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        before, url = [], ""
        for line in process.stderr:
            if "Ctrl-C" in line:
                url = line.split()[0]
                break
            before.append(line)
        assert url, "".join(before)
        # What trains takes seconds to import, and the page does not need it.
        assert not any("transformers.trainer\n" in line for line in before)
        try:
            question = urllib.request.Request(
                f"{url}/api/entities", b'{"text": "Anna wohnt in Chur."}', {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(question) as response:
                assert [entity["text"] for entity in json.load(response)["entities"]] == ["Anna", "Chur"]
            # Of this computer's many addresses, another one of its own.
            port = int(url.rpartition(":")[2])
            with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=5):
                pass
        finally:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out) == {"url": url, "answered": 1}
    assert [line for line in (*before, *err.splitlines()) if not line.startswith("import time:")] == []


def test_a_port_that_is_taken_is_told_before_anything_is_loaded() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}: cannot be had .* give another --port"):
            serve_app(App(model="nowhere", port=port))
    with pytest.raises(UserError, match="port: expected at most 65535, found 70000"):
        App(model="nowhere", port=70_000)
    with pytest.raises(UserError, match="limit: expected at least 1"):
        App(model="nowhere", limit=0)


def test_without_a_model_there_is_no_page(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        serve_app(App(model=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="weights of XmodForTokenClassification are missing"):
        serve_app(App(model=str(model_folder)))


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserError, match=r"pip install 'swissxmod\[app\]'"):
        serve_app(App(model="nowhere"))
