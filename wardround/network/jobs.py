"""A job for NVFLARE that is nothing but configuration: our controller, our executor, no arguments and no code."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from wardround.network.startup import CONTROLLER, EXECUTOR
from wardround.runs.folder import write_json

TASK = "order"
POLL_S = 0.1  # how often a site asks for its next order
LARGE_S = 3600.0  # for a message of some hundred MB over a slow line; deadlines are the round's own


def write_job(folder: Path, sites: Sequence[str]) -> Path:
    """Write the job for these sites; returns its folder, which submit_job takes."""
    shutil.rmtree(folder, ignore_errors=True)
    config = folder / "app" / "config"
    config.mkdir(parents=True)
    waits = {"get_task_timeout": LARGE_S, "submit_task_result_timeout": LARGE_S, "streaming_per_request_timeout": LARGE_S}
    files = {
        folder / "meta.json": {"name": "wardround", "resource_spec": {}, "min_clients": 1,
                               "deploy_map": {"app": [{"sites": ["server", *sites]}]}},
        config / "config_fed_server.json": {
            "format_version": 2, "server": {"task_request_interval": POLL_S}, "dead_client_grace_period": 5.0,
            "dead_client_check_lead_time": 5.0, "task_data_filters": [], "task_result_filters": [], "components": [],
            "workflows": [{"id": "study", "path": CONTROLLER, "args": {}}]},
        config / "config_fed_client.json": {
            "format_version": 2, **waits, "executors": [{"tasks": [TASK], "executor": {"path": EXECUTOR, "args": {}}}],
            "task_data_filters": [], "task_result_filters": [], "components": []},
    }
    for path, value in files.items():
        write_json(path, value)
    return folder
