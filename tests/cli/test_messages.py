"""``--report slack=URL`` and the like, by the installed command and a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps.receiver import SECRET, receiver
from apps.service import ok, service, status
from support.command import perfcheck

PORT_1 = f"http://127.0.0.1:1/{SECRET}"


def baseline(folder: Path, url: str) -> None:
    text = f"version: 1\nservice: {{base_url: {url}}}\nendpoints:\n  a: {{path: /a, target: 5s}}\n"
    (folder / "baselines.yaml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["slack", "teams", "discord", "webhook"])
def test_a_message_is_delivered_and_its_address_is_shown_nowhere(tmp_path: Path, name: str) -> None:
    with receiver() as to, service({"/a": ok()}) as url:
        baseline(tmp_path, url)
        done = perfcheck("run", "--report", f"{name}={to.url}", "-o", "out.json", "-v", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(to.bodies) == 1
    for shown in (done.stdout, done.stderr, (tmp_path / "out.json").read_text(encoding="utf-8"), str(to.bodies)):
        assert SECRET not in shown


@pytest.mark.parametrize("code", [200, 500])
def test_a_delivery_that_fails_changes_no_verdict(tmp_path: Path, code: int) -> None:
    with receiver(404) as to, service({"/a": status(code)}) as url:
        baseline(tmp_path, url)
        done = perfcheck("run", "--confirm", "0", "--report", f"teams={to.url}", cwd=tmp_path)
    assert done.returncode == (1 if code == 500 else 0)
    assert "error: the message to teams was not delivered: its status is 404" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_with_on_change_a_message_comes_when_the_verdict_changes(tmp_path: Path) -> None:
    command = ("run", "--confirm", "0", "--save", "--on", "change", "--report")
    with receiver() as to:
        for code, count in ((200, 0), (500, 1), (500, 1), (200, 2)):
            with service({"/a": status(code)}) as url:
                baseline(tmp_path, url)
                done = perfcheck(*command, f"webhook={to.url}", cwd=tmp_path)
            assert done.returncode == (1 if code == 500 else 0), done.stderr
            assert len(to.bodies) == count, done.stderr
    assert [body["verdict_before"] for body in to.bodies] == ["OK", "CRITICAL"]
    assert [body["verdict"] for body in to.bodies] == ["CRITICAL", "OK"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--report", f"slack=hooks.test/{SECRET}"), "--report slack: not the address of a webhook"),
        (("--report", f"slack=http://[{SECRET}"), "--report slack: not the address of a webhook"),
        (("--report", "slack"), "--report slack: not the address of a webhook"),
        (("--on", "change", "--report", f"slack={PORT_1}"), "--on change needs --save"),
    ],
)
def test_what_is_wrong_is_an_error_before_the_run(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    baseline(tmp_path, "http://127.0.0.1:1")
    done = perfcheck("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert SECRET not in done.stderr
