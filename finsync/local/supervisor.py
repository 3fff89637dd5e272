"""Runs everything of one local installation under honcho and stops all of it with one Ctrl-C.

PostgreSQL and Redis are started before the programs and stopped after them; meanwhile they are watched and, should they
die, started again. Where honcho would end everything at the first death, ``kept`` restarts: the tests kill workers.
"""

import logging
import logging.handlers
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from honcho.manager import Manager

from finsync.local import steps
from finsync.local.kept import SUPERVISOR, KeptProcess, Program
from finsync.local.places import LocalError

WATCH_SECONDS = 1.0
LOG_BYTES_MAX = 10 * 1024 * 1024  # then one older file is kept beside it


class Service(Protocol):
    """PostgreSQL or Redis: what programs need before they start."""

    @property
    def name(self) -> str:
        """How it is called in messages."""

    def is_running(self) -> bool:
        """Whether it runs now."""

    def start(self) -> None:
        """Start or adopt it."""

    def stop(self) -> None:
        """Stop it."""


class Lines:
    """Honcho's printer: every program's output goes to its log file, what the supervisor says to the terminal."""

    width = 0

    def __init__(self, logs: Path, verbose: bool) -> None:
        self._logs = logs
        self._verbose = verbose
        self._files: dict[str, logging.Logger] = {}

    def write(self, message: Any) -> None:
        """Take one line of output."""
        text = message.data if isinstance(message.data, str) else message.data.decode(errors="replace")
        if message.name == SUPERVISOR:
            steps.say(f"  {message.time:%H:%M:%S} {text.rstrip()}")
        elif message.name != "system":  # honcho's own remarks repeat what is said here
            self._file(message.name).info(text.rstrip("\n"))
            if self._verbose:
                steps.say(f"{message.name:<14}| {text.rstrip()}")

    def _file(self, name: str) -> logging.Logger:
        if name not in self._files:
            self._logs.mkdir(parents=True, exist_ok=True)
            log = logging.Logger(name)
            log.addHandler(
                logging.handlers.RotatingFileHandler(
                    self._logs / f"{name}.log", maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8"
                )
            )
            self._files[name] = log
        return self._files[name]


class Supervisor(Manager):  # type: ignore[misc]  # honcho has no types
    """Honcho's manager with kept processes. ``beside`` runs in a thread once all are started; it must end by itself."""

    def __init__(
        self, lines: Lines, services: Sequence[Service], beside: Callable[[threading.Event], None] | None = None
    ) -> None:
        multiprocessing.set_start_method("fork", force=True)  # the pipe below is inherited
        super().__init__(lines)
        self._services = services
        self._beside = beside
        self._ending = threading.Event()
        self._alive = os.pipe()

    def add(self, program: Program, *, cwd: Path, env: Mapping[str, str]) -> None:
        """Take a program under supervision; ``loop`` starts it."""

        def made(_command: Any, **kwargs: Any) -> KeptProcess:
            return KeptProcess(program, **{**kwargs, "cwd": cwd, "env": env, "alive": self._alive})

        self._process_ctor = made
        self.add_process(program.name, program.command)

    def terminate(self) -> None:
        """Stop every program; ``loop`` returns when all have ended."""
        if not self._ending.is_set():
            self._ending.set()
            steps.say("\n  stopping …")
            os.close(self._alive[1])

    def kill(self) -> None:
        """Nothing to do: each kept process kills its own program after its grace time."""

    def _start(self) -> None:
        super()._start()
        # Only after the forks: a forked process must not inherit threads' locks.
        for task in (self._watch_services, self._run_beside):
            threading.Thread(target=task, daemon=True).start()

    def _run_beside(self) -> None:
        if self._beside:
            self._beside(self._ending)

    def _watch_services(self) -> None:
        while not self._ending.wait(WATCH_SECONDS):
            for service in self._services:
                if not service.is_running() and not self._ending.is_set():
                    steps.say(f"  {service.name} DIED; starting it again")
                    try:
                        service.start()
                    except (LocalError, OSError) as error:
                        steps.complain(str(error))


@contextmanager
def running(services: Sequence[Service]) -> Iterator[None]:
    """Start the services in order, stop them in reverse order at the end, whatever happens in between."""
    started: list[Service] = []
    try:
        for service in services:
            with steps.step(service.name):
                started.append(service)
                service.start()
        yield
    finally:
        for service in reversed(started):
            service.stop()
