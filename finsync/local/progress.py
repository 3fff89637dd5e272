"""How far a slow provisioning is, for people: one small JSON file each in HOME/progress. Standard library only.

Written by the process that provisions, read by the supervisor (which prints it) and by the web pages.
"""

import json
import time
from dataclasses import asdict, dataclass

from finsync.local.places import Home

WORKING, READY, FAILED = "working", "ready", "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """``name`` is the counterparty, ``state`` working, ready or failed; times are seconds since 1970, UTC."""

    name: str
    state: str
    step: str
    started_at: float
    updated_at: float

    @property
    def seconds(self) -> float:
        """Seconds from its start to the last thing it said."""
        return self.updated_at - self.started_at


def report(home: Home, name: str, state: str, step: str, started_at: float) -> None:
    """Replace what is said about ``name``. A reader never sees half a file."""
    home.progress.mkdir(parents=True, exist_ok=True)
    path = home.progress / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(Progress(name, state, step, started_at, time.time()))))
    part.replace(path)


def read_all(home: Home) -> list[Progress]:
    """Return what is under way or done, by name; empty where nothing was ever provisioned here."""
    if not home.progress.is_dir():
        return []
    return [Progress(**json.loads(path.read_text())) for path in sorted(home.progress.glob("*.json"))]
