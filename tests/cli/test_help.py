"""Help, and errors that help: of every command, and of every option in the environment."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from manual import Block, parse_epilog
from support.command import perfcheck
from support.commands import commands
from support.golden import check_golden

from perfcheck.cli.app import cli, run_command_line
from perfcheck.cli.ui.commands import variables
from perfcheck.cli.ui.help_page import visible_options
from perfcheck.demo import DEFAULT_PORT

GOLDEN = Path(__file__).parent / "golden"
ROOT = click.Context(cli, info_name="perfcheck", **cli.context_settings)
COMMANDS = dict(commands())
OPTIONS = [(name, option) for name, command in COMMANDS.items() for option in visible_options(command)]
BASELINE = "version: 1\nservice: {base_url: http://localhost}\nendpoints: {a: {path: /, target: 1s}}\n"


# --- Every command, every option -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=[f"{name} {one.opts[-1]}" for name, one in OPTIONS])
def test_every_option_has_help_and_a_variable(command: str, option: click.Option) -> None:
    assert option.help
    assert option.help.rstrip()[-1] in ".]"
    long = [name.removeprefix("--") for name in option.opts if name.startswith("--")]
    assert variables(option) == ["PERFCHECK_" + name.replace("-", "_").upper() for name in long]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_is_for_in_a_line_and_gives_examples(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.short_help
    assert command.short_help in perfcheck(*name.split()[:-1], "--help", env={"COLUMNS": "100"}).stdout
    (examples,) = [block for block in parse_epilog(command.epilog) if block.title == "Examples"]
    assert any(line.startswith(f"perfcheck {name}") for line, _ in examples.pairs())


def examples() -> list[str]:
    """Every line of an epilog that begins with perfcheck, without the command that its output is sent to."""
    epilogs = [cli.epilog, *(command.epilog for command in COMMANDS.values())]
    lines = [line for epilog in epilogs for block in parse_epilog(epilog) for line, _ in block.pairs() if block.title]
    return sorted({line.partition(" | ")[0] for line in lines if line.startswith("perfcheck ") and ">" not in line})


@pytest.mark.parametrize("example", examples())
def test_every_example_is_accepted(example: str) -> None:
    context = ROOT
    rest = shlex.split(example)[1:]
    while isinstance(context.command, click.Group) and rest and not rest[0].startswith("-"):
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        group = isinstance(command, click.Group)
        context = click.Context(command, parent=context) if group else command.make_context(name, rest, context)


@pytest.mark.parametrize("name", ["", *COMMANDS])
@pytest.mark.parametrize("width", [60, 80])
def test_help_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    pages = []
    for arguments in ([*name.split(), "-h"], [*name.split(), "--help"], ["help", *name.split()]):
        assert run_command_line(arguments) == 0
        pages.append(capsys.readouterr())
    assert pages[0] == pages[1] == pages[2]
    assert pages[0].err == ""
    for line in pages[0].out.splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


@pytest.mark.parametrize("example", examples())
def test_an_example_that_is_copied_from_80_columns_is_whole(example: str) -> None:
    assert len(f"  {example}") <= 80


@pytest.mark.parametrize(
    ("variables", "is_colored"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_help_in_a_pipe_has_colour_only_where_it_is_forced(variables: dict[str, str], *, is_colored: bool) -> None:
    assert ("\x1b[" in perfcheck("run", "-h", env=variables).stdout) is is_colored


@pytest.mark.parametrize(("name", "width"), [("demo", 60), ("demo", 80), ("completion", 80)])
def test_help_word_for_word(name: str, width: int) -> None:
    check_golden(GOLDEN / f"help-{name}-{width}.txt", perfcheck(name, "-h", env={"COLUMNS": str(width)}).stdout)


def test_many_options_stand_in_sections() -> None:
    lines = perfcheck("run", "-h").stdout.splitlines()
    titles = [line for line in lines if re.fullmatch(r"(What|How|Options|Help).*:", line)]
    assert titles == ["What is checked:", "How it is measured:", "How it is judged:", "What is reported:", "Help:"]


def test_exit_codes_are_read_from_two_columns() -> None:
    (block,) = parse_epilog("\b\nExit codes:\n  0  OK or WARNING        1  CRITICAL\n  130  interrupted\n")
    assert block.exit_codes() == ((0, "OK or WARNING"), (1, "CRITICAL"), (130, "interrupted"))
    assert Block("Examples", ("  perfcheck run -u http://localhost:5001    the check",)).exit_codes() == ()


# --- Mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message", "remedy"),
    [
        ("history lst", "No such command 'lst'.", "did you mean list?"),
        ("help history lst", "No such command 'lst'.", "did you mean list?"),
        ("help run videos", "'perfcheck run' has no commands", "perfcheck help run"),
        ("history list --limt 3", "No such option '--limt'.", "did you mean --limit?"),
        (
            "history list --incident x",
            "No such option '--incident'.",
            "'--incident' is an option of: perfcheck history",
        ),
        (
            "history list --since soon",
            "Invalid value for --since: 'soon' is not a date: expected",
            "--since DATE: Only",
        ),
        ("history note v1", "Missing option '--incident'", "--incident TEXT: What happened"),
        ("history import", "Missing argument 'FILE...'.", "'perfcheck history import --help' lists the options"),
        ("run --base-ur x", "No such option '--base-ur'.", "did you mean --base-url?"),
        ("run --bsae-url x", "No such option '--bsae-url'.", "did you mean --base-url?"),
        ("run --base x", "No such option '--base'.", "did you mean --baseline?"),
        ("run -base-url x", "No such option '-b'.", "'perfcheck run --help' lists the options"),
        ("run --wibble", "No such option '--wibble'.", "'perfcheck run --help' lists the options"),
        ("run -z", "No such option '-z'.", "'perfcheck run --help' lists the options"),
        ("--demo", "No such option '--demo'.", "'--demo' is an option of: perfcheck run"),
        (
            "validate --base-url x",
            "No such option '--base-url'.",
            "'--base-url' is an option of: perfcheck init, perfcheck coverage",
        ),
        ("rum", "No such command 'rum'.", "did you mean run?"),
        ("help rnu", "No such command 'rnu'.", "did you mean run?"),
        (
            "run --fail-on warnin",
            "Invalid value for --fail-on: 'warnin' is not one of 'warning'",
            "--fail-on [warning|critical|never]: Lowest",
        ),
        (
            "demo --regress hangs",
            "Invalid value for --regress: 'hangs' is not one of 'n-plus-one'",
            "--regress NAME: Inject",
        ),
        (
            "run --budget 60",
            "Invalid value for --budget: a duration needs a unit",
            "--budget, --max-time DURATION: Stop",
        ),
        (
            "run --connections 65",
            "Invalid value for --connections: '65' is neither auto nor a whole number from 1 to 64",
            "--connections N|auto: At",
        ),
        ("run --rate 10", "Invalid value for --rate: a rate needs a unit: did you mean 10/s?", "--rate RATE: At most"),
        ("run --budget", "Option '--budget' requires an argument.", "--budget, --max-time DURATION: Stop"),
        ("validate -f", "Option '-f' requires an argument.", "-f, --baseline FILE: Baseline file."),
        ("run --quiet=3", "Option '--quiet' does not take a value.", "-q, --quiet: Show only what needs"),
        ("demo --port x", "Invalid value for --port: 'x' is not a valid integer", "--port N: Port to listen on"),
        ("report", "nothing to report on", "give one of --from FILE, --period week, or --since 30d"),
        (
            "report results.json",
            "Got unexpected extra argument (results.json)",
            "'perfcheck report --help' lists the options",
        ),
        ("completion bash zsh", "Got unexpected extra argument (zsh)", "'perfcheck completion --help' lists"),
        ("completion tcsh", "Invalid value for SHELL: 'tcsh' is not one of", "'perfcheck completion --help' lists"),
    ],
)
def test_an_error_says_what_was_likely_meant(line: str, message: str, remedy: str) -> None:
    done = perfcheck(*line.split())
    assert done.returncode == 2
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith(f"error: {message}")
    assert second.startswith(f"help: {remedy}")


# --- The environment -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PERFCHECK_BUDGET", "60", "Invalid value for --budget (from PERFCHECK_BUDGET): a duration needs"),
        ("PERFCHECK_FAIL_ON", "warn", "Invalid value for --fail-on (from PERFCHECK_FAIL_ON): 'warn' is not"),
        ("PERFCHECK_CONFIRM", "9", "Invalid value for --confirm (from PERFCHECK_CONFIRM): 9 is not in"),
        ("PERFCHECK_DEMO", "maybe", "Invalid value for --demo (from PERFCHECK_DEMO): 'maybe' is not a valid"),
        ("PERFCHECK_GROUP", "nix", "(set by the environment: PERFCHECK_GROUP)"),
        ("PERFCHECK_REPORT", "pdf", "(set by the environment: PERFCHECK_REPORT)"),
        ("PERFCHECK_AGAINST", "absent.json", "set by the environment: PERFCHECK_AGAINST"),
        ("PERFCHECK_BASELINE", "absent.yaml", "set by the environment: PERFCHECK_BASELINE"),
    ],
)
def test_a_wrong_value_from_the_environment_names_its_variable(
    tmp_path: Path, variable: str, value: str, message: str
) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    done = perfcheck("run", cwd=tmp_path, env={variable: value})
    assert done.returncode == 2
    assert message in done.stderr


def test_a_value_that_was_typed_does_not_come_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    done = perfcheck("run", "-g", "nix", cwd=tmp_path, env={"PERFCHECK_GROUP": "nix", "PERFCHECK_LABEL": "a"})
    assert done.returncode == 2
    assert "(set by the environment: PERFCHECK_LABEL)" in done.stderr


# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE_LINKS = {
    "PERFCHECK_SERVICE_HOST": "10.0.0.11",
    "PERFCHECK_SERVICE_PORT": "5001",
    "PERFCHECK_SERVICE_PORT_HTTP": "5001",
    "PERFCHECK_PORT": "tcp://10.0.0.11:5001",
    "PERFCHECK_PORT_5001_TCP": "tcp://10.0.0.11:5001",
    "PERFCHECK_PORT_5001_TCP_PROTO": "tcp",
    "PERFCHECK_PORT_5001_TCP_PORT": "5001",
    "PERFCHECK_PORT_5001_TCP_ADDR": "10.0.0.11",
}
FLAGS = [(name, option) for name, option in OPTIONS if option.is_flag]


@pytest.mark.parametrize(("command", "flag"), FLAGS, ids=[f"{name} {one.opts[-1]}" for name, one in FLAGS])
def test_a_flag_in_the_environment_means_what_it_says(
    monkeypatch: pytest.MonkeyPatch, command: str, flag: click.Option
) -> None:
    for text in ("true", "TRUE", "1", "yes", "on"):
        assert parsed(monkeypatch, command, flag, text) is True
    for text in ("false", "False", "0", "no", "off"):
        assert parsed(monkeypatch, command, flag, text) is False


@pytest.mark.parametrize(("command", "flag"), FLAGS, ids=[f"{name} {one.opts[-1]}" for name, one in FLAGS])
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, command: str, flag: click.Option) -> None:
    untouched = COMMANDS[command].make_context(command, list(REQUIRED.get(command, ())), ROOT)
    assert flag.name
    assert parsed(monkeypatch, command, flag, "") == untouched.params[flag.name]


REQUIRED = {
    "report": ("--from", "run.json"),
    "lint": ("src",),
    "history show": ("v1.4",),
    "history import": ("run.json",),
    "history label": ("v1.4",),
    "history note": ("v1.4", "--incident", "slow"),
}


def parsed(monkeypatch: pytest.MonkeyPatch, command: str, option: click.Option, text: str) -> object:
    assert option.name
    monkeypatch.setenv(variables(option)[0], text)
    return COMMANDS[command].make_context(command, list(REQUIRED.get(command, ())), ROOT).params[option.name]


@pytest.mark.parametrize(("value", "code"), [("false", 2), ("0", 2), ("no", 2), ("", 2), ("true", 0)])
def test_a_flag_from_the_environment_is_obeyed(tmp_path: Path, value: str, code: int) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE.replace("http://localhost", "'${UNSET_BASE}'"), encoding="utf-8")
    assert perfcheck("validate", cwd=tmp_path, env={"PERFCHECK_ALLOW_UNSET": value}).returncode == code


@pytest.mark.parametrize(("value", "meant"), [("a b", ("a", "b")), (" a\tb ", ("a", "b")), ("", ())])
def test_a_repeatable_option_takes_words_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, meant: tuple[str, ...]
) -> None:
    group = next(option for name, option in OPTIONS if name == "run" and "--group" in option.opts)
    assert parsed(monkeypatch, "run", group, value) == meant


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PERFCHECK_BASEURL", "PERFCHECK_BASE_URL"),
        ("PERFCHECK_REPORTS", "PERFCHECK_REPORT"),
        ("PERFCHECK_MAX_REQUEST", "PERFCHECK_MAX_REQUESTS"),
        ("PERFCHECK_NO_GITHUB", "PERFCHECK_GITHUB=false"),
        ("PERFCHECK_HISTROY", "PERFCHECK_HISTORY"),
        ("PERFCHECK_SKIP_UNREACHABLE", "PERFCHECK_REQUIRE_SERVICE=false"),
    ],
)
def test_a_misspelt_variable_is_reported_and_changes_nothing(tmp_path: Path, variable: str, meant: str) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    done = perfcheck("validate", cwd=tmp_path, env={variable: "x"})
    assert done.returncode == 0
    assert done.stderr == f"warning: {variable} has no effect: did you mean {meant}?\n"
    assert done.stdout == perfcheck("validate", cwd=tmp_path).stdout


@pytest.mark.parametrize("variable", ["PERFCHECK_DEBUG", "PERFCHECK_TEST_X", "PERFCHECK_API_TOKEN", "PERFCHECK_SEED"])
def test_other_variables_are_left_alone(tmp_path: Path, variable: str) -> None:
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    assert perfcheck("validate", cwd=tmp_path, env={variable: "1"}).stderr == ""


def test_what_kubernetes_sets_for_a_service_of_our_name_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in SERVICE_LINKS.items():
        monkeypatch.setenv(name, value)
    ports = {
        name: COMMANDS[name].make_context(name, [], ROOT).params["port"] for name, opt in OPTIONS if opt.name == "port"
    }
    assert ports == {"demo": DEFAULT_PORT}
    (tmp_path / "baselines.yaml").write_text(BASELINE, encoding="utf-8")
    assert perfcheck("validate", cwd=tmp_path, env=SERVICE_LINKS).stderr == ""


@pytest.mark.parametrize("arguments", [("--version",), ("run", "-h"), ("help", "run"), ("completion", "bash")])
def test_help_comes_without_warnings_about_variables(arguments: tuple[str, ...]) -> None:
    assert perfcheck(*arguments, env={"PERFCHECK_BASEURL": "x"}).stderr == ""
