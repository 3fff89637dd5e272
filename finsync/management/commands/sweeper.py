"""The sweeper: a plain process, no Celery task, so that a dead Redis cannot take it along (reliability.md 2.3)."""

import logging
import os
import signal
import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, close_old_connections

from finsync.celery import hint
from finsync.kit.models import ProcessBeat
from finsync.schedule import JOBS, STAGES, run_job, run_stage

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
REHINT_SECONDS = 5.0  # a stage still due is hinted again after this, should the first hint be lost
INLINE_AFTER_SECONDS = 60.0
BEAT_SECONDS = 15.0
BEATS_KEPT_HOURS = 1


class Command(BaseCommand):
    """Hint every stage that has due rows; with --inline do the work itself while Redis cannot be reached."""

    help = "Hint due stages; --inline works through them while Redis has been unreachable for a minute."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--inline", action="store_true", help="work without Celery while Redis is unreachable")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped by a signal."""
        self.stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        hinted: dict[str, float] = {}
        unreachable_since = 0.0
        beat_at = 0.0
        while not self.stopping:
            try:
                close_old_connections()
                reached = self._look(hinted)
                unreachable_since = 0.0 if reached else unreachable_since or time.monotonic()
                if (
                    options["inline"]
                    and unreachable_since
                    and time.monotonic() - unreachable_since > INLINE_AFTER_SECONDS
                ):
                    self._work()
                if time.monotonic() > beat_at:
                    self._beat("Redis unreachable" if unreachable_since else "")
                    beat_at = time.monotonic() + BEAT_SECONDS
            except OperationalError as error:
                logger.warning("the database cannot be reached: %s", error)
            time.sleep(LOOK_SECONDS)

    def _look(self, hinted: dict[str, float]) -> bool:
        """Hint due stages; returns whether Redis took every hint."""
        reached = True
        for name, stage in STAGES.items():
            if time.monotonic() - hinted.get(name, -REHINT_SECONDS) < REHINT_SECONDS:
                continue
            if stage.is_due():
                reached = hint(name) and reached
                hinted[name] = time.monotonic()
        return reached

    def _work(self) -> None:
        for name in JOBS:
            run_job(name)
        for name, stage in STAGES.items():
            if stage.is_due():
                run_stage(name)

    def _beat(self, detail: str) -> None:
        ProcessBeat.objects.update_or_create(
            name=f"sweeper-{os.getpid()}", defaults={"kind": "sweeper", "detail": detail}
        )

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
