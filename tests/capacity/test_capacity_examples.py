"""The files of examples/capacity: valid, and what is in two places of them agrees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import yaml

from perfcheck.cli.app import cli

FOLDER = Path(__file__).parents[2] / "examples" / "capacity"
COMPOSE = FOLDER / "compose.yaml"
KUBERNETES = FOLDER / "kubernetes.yaml"


def parsed(arguments: list[str]) -> dict[str, Any]:
    """The options of a command line, which perfcheck accepts."""
    context = click.Context(cli, info_name="perfcheck", **cli.context_settings)
    name, command, options = cli.resolve_command(context, arguments)
    assert name == "capacity"
    assert command is not None
    return command.make_context(name, options, parent=context).params


def check_pair(search: dict[str, Any], worker: dict[str, Any], master: str, count: int) -> None:
    assert search["bind"] == ("0.0.0.0", worker["master"][1])
    assert search["expect_workers"] == count
    assert worker["worker"]
    assert worker["master"][0] == master
    assert search["owns_host"] is worker["owns_host"] is True


def test_the_compose_file() -> None:
    linter = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(linter, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    search, worker = (parsed(services[name]["command"].split()) for name in ("search", "worker"))
    check_pair(search, worker, "search", services["worker"]["deploy"]["replicas"])
    keys = [services[name]["environment"]["PERFCHECK_WORKERS_KEY"] for name in ("search", "worker")]
    assert keys[0] == keys[1]


def test_the_kubernetes_file() -> None:
    documents = list(yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8")))
    service, search, worker = documents
    assert [(each["apiVersion"], each["kind"]) for each in documents] == [
        ("v1", "Service"),
        ("batch/v1", "Job"),
        ("batch/v1", "Job"),
    ]
    (search_pod, search_container), (worker_pod, worker_container) = map(pod_of, (search, worker))
    options = parsed(search_container["args"]), parsed(worker_container["args"])
    check_pair(*options, service["metadata"]["name"], worker["spec"]["parallelism"])
    assert worker["spec"]["parallelism"] == worker["spec"]["completions"]
    port = options[1]["master"][1]
    assert service["spec"]["ports"][0]["port"] == search_container["ports"][0]["containerPort"] == port
    assert search_container["image"] == worker_container["image"]
    assert service["spec"]["selector"] == search["spec"]["template"]["metadata"]["labels"]
    for container in (search_container, worker_container):
        assert container["envFrom"][0] == {"secretRef": {"name": "capacity-key"}}
    for pod in (search_pod, worker_pod):
        assert (pod["restartPolicy"], pod["enableServiceLinks"]) == ("Never", False)
    volumes = {volume["name"] for volume in search_pod["volumes"]}
    assert {mount["name"] for mount in search_container["volumeMounts"]} == volumes


def pod_of(job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a job: what its pods are, and their one container."""
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container
