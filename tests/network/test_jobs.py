"""A job for NVFLARE holds its settings, the two classes that sites allow, and nothing else."""

import json
from pathlib import Path
from typing import Any

from wardround.network.jobs import POLL_S, TASK, write_job
from wardround.network.startup import CONTROLLER, EXECUTOR


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def classes(value: Any) -> list[str]:
    """Every class that a configuration names, however deep."""
    if isinstance(value, dict):
        return [found for key, held in value.items() for found in ([held] if key in ("path", "class_path", "name") and isinstance(held, str)
                                                                    else classes(held))]
    return [found for held in value for found in classes(held)] if isinstance(value, list) else []


def test_a_job_is_three_files_of_settings(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", ["north", "south"])
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["app/config/config_fed_client.json", "app/config/config_fed_server.json", "meta.json"]


def test_it_names_no_class_but_those_that_are_allowed_and_gives_them_no_argument(tmp_path: Path) -> None:
    config = write_job(tmp_path / "job", ["north"]) / "app" / "config"
    server, client = (read(config / f"config_fed_{end}.json") for end in ("server", "client"))
    assert classes(server) == [CONTROLLER]
    assert classes(client) == [EXECUTOR]
    assert [workflow["args"] for workflow in server["workflows"]] == [{}]
    assert [(entry["tasks"], entry["executor"]["args"]) for entry in client["executors"]] == [([TASK], {})]
    for side in (server, client):
        assert side["components"] == side["task_data_filters"] == side["task_result_filters"] == []


def test_it_runs_at_the_server_and_these_sites(tmp_path: Path) -> None:
    meta = read(write_job(tmp_path / "job", ["north", "south"]) / "meta.json")
    assert meta["deploy_map"] == {"app": [{"sites": ["server", "north", "south"]}]}
    assert meta["min_clients"] == 1  # a site that is gone by then does not keep the others


def test_sites_ask_often_and_large_messages_have_time(tmp_path: Path) -> None:
    config = write_job(tmp_path / "job", ["north"]) / "app" / "config"
    assert read(config / "config_fed_server.json")["server"]["task_request_interval"] == POLL_S <= 0.5
    client = read(config / "config_fed_client.json")
    assert min(client[name] for name in ("get_task_timeout", "submit_task_result_timeout", "streaming_per_request_timeout")) >= 3600


def test_nothing_of_the_job_before_is_left(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", ["north", "south"])
    (folder / "app" / "custom").mkdir()
    (folder / "app" / "custom" / "evil.py").write_text("")
    assert write_job(tmp_path / "job", ["north"]) == folder
    assert not (folder / "app" / "custom").exists()
    assert "south" not in (folder / "meta.json").read_text()
