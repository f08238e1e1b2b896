"""A study over a network, the whole way, on one machine: a server and four sites as programs of their own, TLS between them, each site
with its own data folder. Every step is the command that a coordinator or a hospital would type.

    python examples/network.py [--data FOLDER] [--out DIR]

Without --data the images are phantoms (synthetic). At the end the same plan runs on the local engine: the models' files must be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SITES = ("north", "south", "east", "west")
COMMAND = (sys.executable, "-m", "wardround")
PORT = 8102
SETTINGS = ("sites.num=4", 'sites.names=["north", "south", "east", "west"]', "sites.partition=iid", "cohort.min_sites=4",
            "cohort.deadline_s=120", "data.size=32", "data.phantoms=1000", "rounds.num=40", "rounds.patience=none", "engine.precision=fp32")


def step(*words: str, where: Path) -> None:
    """Show a command and run it; the example ends where one fails."""
    print("\n$ wardround " + " ".join(f"'{word}'" if " " in word or '"' in word else word for word in words), flush=True)
    subprocess.run([*COMMAND, *words], cwd=where, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the brain-tumour set; without it phantoms are used")
    parser.add_argument("--out", type=Path, default=Path("runs") / "network", help="where everything is written; emptied first")
    parser.add_argument("--plan", default="demo")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    data = ["--data", str(arguments.data.absolute())] if arguments.data else []
    settings = [word for setting in (*SETTINGS, *arguments.settings) for word in ("--set", setting)]

    started = time.monotonic()
    step("sites", arguments.plan, *data, *settings, "--deal", "hospitals", where=out)
    step("study", "new", "clinics", "--plan", arguments.plan, *settings, "--sites", ",".join(SITES), "--address", f"localhost:{PORT}",
         where=out)
    for site in SITES:
        step("site", "join", f"clinics/invitations/{site}.invitation", where=out)
    step("study", "admit", *(f"{site}.request" for site in SITES), "--study", "clinics", where=out)
    for site in SITES:
        step("site", "ready", f"clinics/kits/{site}.kit", "--data", f"hospitals/{site}", "--yes", "--folder", f"clinics-{site}", where=out)

    programs = []
    for site in SITES:
        print(f"\n$ wardround site start --folder clinics-{site} &", flush=True)
        with (out / f"{site}.log").open("wb") as log:
            programs.append(subprocess.Popen([*COMMAND, "site", "start", "--folder", f"clinics-{site}"], cwd=out, stdout=log,
                                             stderr=subprocess.STDOUT))
    try:
        step("study", "start", "clinics", "--wait-for", "all", where=out)
        step("study", "results", "clinics", where=out)
    finally:
        for program in programs:
            program.send_signal(signal.SIGTERM)
        for program in programs:
            program.wait()
    for site in SITES:
        step("audit-log", "verify", f"clinics-{site}/audit.jsonl", where=out)
    print(f"\nThe study took {time.monotonic() - started:.0f} s. The same plan on the local engine, over the same folders:", flush=True)
    step("run", "clinics/plan.toml", "--data", "hospitals", "--out", "local", where=out)
    models = [next((out / place).rglob("model.safetensors")) for place in ("clinics/runs", "local")]
    first, second = (hashlib.sha256(model.read_bytes()).hexdigest() for model in models)
    print(f"\nnetwork      {first}\nlocal engine {second}\n{'The same bits.' if first == second else 'DIFFERENT MODELS'}")
    sys.exit(first != second)


if __name__ == "__main__":
    main()
