"""docker-compose.yml and the image as written: nothing open, no secret, nothing that waits for what is never ready.

No container is started here.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.attributes import SEARCH_ATTRIBUTES
from plumbing.server_limits import PROTECTS_A_COURSE, as_yaml
from plumbing.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

NAMES_A_SECRET = re.compile(r"PASSWORD|PWD|TOKEN|SECRET|(?<!_FILE)KEY(?!_FILE)")
FROM_OUTSIDE = re.compile(r"\$\{[A-Z_]+(:\?[^}]+|:-)\}")
"""A variable that must be set, with words that say what, or one that may stay empty. Never a default value."""


def environments() -> Iterator[tuple[str, str, str]]:
    """Service, variable and value of every environment."""
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            yield name, variable, value


def waits() -> Iterator[tuple[str, str, str]]:
    """Who waits for whom, and for what."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            yield name, other, how["condition"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_pinned_image_or_is_built_here(name: str) -> None:
    service = SERVICES[name]
    assert "image" in service or "build" in service
    if "build" not in service:
        tag = service["image"].partition(":")[2]
        assert re.match(r"\d+\.\d+", tag), f"{service['image']} names no version"


def test_all_images_of_temporals_server_have_one_version() -> None:
    of_server = {
        s["image"].partition(":")[2] for s in SERVICES.values() if re.search("/(server|admin-tools):", s["image"])
    }
    assert len(of_server) == 1
    pinned = re.search(
        r"^\s*go\.temporal\.io/server v(\S+)", (ROOT / "tools/temporal/go.mod").read_text(), re.MULTILINE
    )
    assert pinned is not None
    assert of_server == {pinned[1]}


def test_our_image_carries_the_version_of_the_project() -> None:
    assert {s["image"] for s in SERVICES.values() if "build" in s} == {f"inocycle:{PROJECT['project']['version']}"}


def test_whoever_is_waited_for_can_be_seen_to_be_ready() -> None:
    assert list(waits())
    for name, other, condition in waits():
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[other], f"{name} waits for {other}, whose health nobody looks at"
        else:
            assert condition == "service_completed_successfully", f"{name} -> {other}: {condition}"
            assert SERVICES[other].get("restart", "no") == "no", f"{other} never completes, and {name} waits for it"


def test_no_port_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not str(port).startswith("127.0.0.1:")] == []
    assert not any("network_mode" in service for service in SERVICES.values())


def test_database_and_temporal_are_not_published_at_all() -> None:
    for name in ("postgres", "temporal"):
        assert "ports" not in SERVICES[name]
        assert SERVICES[name]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_every_secret_comes_from_outside() -> None:
    secrets = [(name, variable, value) for name, variable, value in environments() if NAMES_A_SECRET.search(variable)]
    assert len(secrets) >= 8
    assert [(name, variable) for name, variable, value in secrets if not FROM_OUTSIDE.fullmatch(value)] == []
    assert [name for name, secret in COMPOSE["secrets"].items() if not FROM_OUTSIDE.fullmatch(secret["file"])] == []


def test_an_address_with_a_password_takes_it_from_outside() -> None:
    addresses = [(name, value) for name, _, value in environments() if re.search(r"://[^/]*@", value)]
    assert addresses
    for name, value in addresses:
        assert re.search(r"://\w+:\$\{[A-Z_]+:\?[^}]+\}@", value), f"{name}: the password stands in the address"


def test_no_variable_has_a_default_value() -> None:
    with_a_default = re.findall(r"\$\{[A-Z_]+:?-[^}]+\}", (ROOT / "docker-compose.yml").read_text())
    assert with_a_default == []


def test_the_search_attributes_of_the_models_are_registered_with_their_types() -> None:
    script = SERVICES["namespace"]["command"][-1].replace("$$", "$")
    words = [word.partition("=") for word in shlex.split(script) if re.fullmatch(r"\w+=\w+", word)]
    assert {name: kind for name, _, kind in words} == SEARCH_ATTRIBUTES


def test_the_cluster_is_told_what_the_dev_server_is_told_to_protect_a_course() -> None:
    told = yaml.safe_load(COMPOSE["configs"]["temporal-dynamic"]["content"])
    assert told == {key: [{"value": value}] for key, value in PROTECTS_A_COURSE.items()}
    assert yaml.safe_load(as_yaml()) == told


def test_our_variables_are_settings() -> None:
    ours = {variable for _, variable, _ in environments() if variable.startswith("INOCYCLE_")}
    known = {f"INOCYCLE_{field.upper()}" for field in Settings.model_fields}
    assert ours
    assert ours - known == set()


def test_our_processes_run_in_mode_ward_with_their_keys_as_secrets() -> None:
    built = [service for service in SERVICES.values() if "build" in service]
    assert built
    for service in built:
        environment = service["environment"]
        assert environment["INOCYCLE_MODE"] == "ward"
        for variable in ("INOCYCLE_PAYLOAD_KEY_FILE", "INOCYCLE_SUBJECT_KEY_FILE", "INOCYCLE_RECORD_KEY_FILE"):
            assert environment[variable].removeprefix("/run/secrets/") in service["secrets"]
        assert set(service["secrets"]) == set(COMPOSE["secrets"])


def test_nothing_of_the_demo_is_here() -> None:
    written = (ROOT / "docker-compose.yml").read_text()
    assert "start-dev" not in written
    assert "TimeSkipping" not in written
    commands = [word for service in SERVICES.values() for word in service.get("command", ())]
    assert not {"up", "demo", "dev-server"} & set(commands)


def test_no_worker_starts_before_record_and_namespace_are_known_to_belong_together() -> None:
    assert SERVICES["init"]["command"] == ["init"]
    assert ("worker", "init", "service_completed_successfully") in set(waits())
    assert SERVICES["init"]["environment"] == SERVICES["worker"]["environment"]


def test_the_worker_and_the_web_ui_look_at_the_namespace_that_is_made() -> None:
    made = SERVICES["namespace"]["environment"]["TEMPORAL_NAMESPACE"]
    assert SERVICES["worker"]["environment"]["INOCYCLE_TEMPORAL_NAMESPACE"] == made
    assert SERVICES["temporal-ui"]["environment"]["TEMPORAL_DEFAULT_NAMESPACE"] == made


def test_the_image_is_pinned_hashed_and_not_run_by_root() -> None:
    written = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", written, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base) for base in bases)
    assert "--require-hashes" in written
    assert re.findall(r"^USER (\S+)", written, re.MULTILINE)[-1] not in ("root", "0")


def test_the_image_has_what_runs_and_no_more() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    needed = {*PROJECT["tool"]["setuptools"]["packages"], "protocols", "migrations", "*.py"}
    assert needed <= let_in
    assert let_in - needed == {"LICENSE", "README.md", "pyproject.toml", "requirements.txt"}
