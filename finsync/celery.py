"""The Celery application: it carries hints of the form 'look at this stage', never work or data.

Redis may be emptied at any instant (reliability.md 0.1): every stage is also hinted by the sweeper.
"""

import os
from typing import Any, NoReturn

import django
from celery import Celery, Task
from celery.signals import worker_process_init
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finsync.settings.local")
django.setup(set_prefix=False)


class HintTask(Task):
    """A task whose message is only a hint: it cannot be delayed, retried or waited for (reliability.md 2.2)."""

    abstract = True

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Publish at once. Raises TypeError for a delay: delays live in PostgreSQL as ``next_action_at``."""
        if options.get("eta") or options.get("countdown"):
            raise TypeError("hints carry no eta or countdown; set next_action_at on the row instead")
        return super().apply_async(*args, **options)

    def retry(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a row's own next_action_at decides when it is looked at again."""
        raise TypeError("hints are not retried; the row's next_action_at brings it back")


def make_app() -> Celery:
    """Return the configured application."""
    from django.conf import settings

    application = Celery("finsync", task_cls=HintTask)
    application.conf.update(settings.CELERY, broker_url=settings.REDIS_URL)
    return application


app = make_app()

HINT_SECONDS_MAX = 60  # an older hint is pointless: the sweeper has hinted again


@app.task(name="finsync.stage")
def look_at_stage(name: str, **kwargs: Any) -> None:
    """Drain a stage and nudge the stages behind it. Unknown names come from an older release and are dropped."""
    from finsync.schedule import STAGES, run_stage

    if name in STAGES and run_stage(name):
        for following in STAGES[name].then:
            hint(following)


@app.task(name="finsync.job")
def look_at_job(name: str, **kwargs: Any) -> None:
    """Run a timed job unless its slot is taken."""
    from finsync.schedule import JOBS, run_job

    if name in JOBS:
        run_job(name)


def hint(stage: str) -> bool:
    """Say 'look at this stage'; returns False where Redis could not be reached, which costs a second and no data."""
    from finsync.schedule import STAGES

    try:
        look_at_stage.apply_async((stage,), queue=STAGES[stage].queue, expires=HINT_SECONDS_MAX)
    except OperationalError:
        return False
    return True


def beat_schedule() -> dict[str, Any]:
    """Return one beat entry per timed job."""
    from finsync.schedule import JOBS

    return {
        name: {
            "task": "finsync.job",
            "schedule": job.every_seconds,
            "args": (name,),
            "options": {"queue": job.queue, "expires": job.every_seconds},
        }
        for name, job in JOBS.items()
    }


@app.on_after_finalize.connect
def _plan_jobs(sender: Celery, **kwargs: Any) -> None:
    sender.conf.beat_schedule = beat_schedule()


@worker_process_init.connect
def _close_inherited_connections(**kwargs: Any) -> None:
    from django.db import connections

    connections.close_all()
