"""One program kept alive: started, watched, restarted with backoff, ended together with the supervisor.

Each runs in a small process of its own that honcho forks. That process holds the reading end of a pipe whose writing
end only the supervisor has: when the supervisor closes it or dies, by whatever cause, the program is stopped, so that
nothing is left behind even after ``kill -9``.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from honcho.printer import Message
from honcho.process import Process

STOP_SECONDS_MAX = 5.0  # then SIGKILL: every program of finsync may be killed at any instant
BACKOFF_SECONDS_FIRST = 1.0
BACKOFF_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0  # a run this long forgets earlier deaths
LAST_LINES_SHOWN = 8
AFTER_POLL_SECONDS = 0.3
SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. ``after`` is a URL that must answer first; ``once`` programs may end by themselves with code 0."""

    name: str
    command: tuple[str, ...]
    after: str = ""
    once: bool = False


class KeptProcess(Process):  # type: ignore[misc]  # honcho has no types
    """Honcho's process, except that the death of its program is answered by a restart, loudly."""

    def __init__(self, program: Program, *, cwd: Path, env: Mapping[str, str], alive: tuple[int, int], **kwargs: Any):
        super().__init__(program.command, env=dict(env), cwd=str(cwd), **kwargs)
        self.program = program
        self.alive = alive
        self._stopping = threading.Event()
        self._last: deque[str] = deque(maxlen=LAST_LINES_SHOWN)

    def run(self, events: "Queue[Any]", ignore_signals: bool = True) -> None:
        """Keep the program running until the supervisor's end of the pipe closes. Runs in its own process."""
        self._events = events
        supervisor = os.getppid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # a handler, not SIG_IGN: the program must not inherit it
        os.close(self.alive[1])
        threading.Thread(target=self._end_with_supervisor, daemon=True).start()
        self._send_message({"pid": os.getpid()}, type="start")
        self._keep()
        self._stopping.wait()
        if os.getppid() != supervisor:
            os._exit(0)  # nobody reads the queue any more; flushing it could block for ever
        self._send_message({"returncode": 0}, type="stop")

    def _keep(self) -> None:
        self._await_what_comes_first()
        backoff = BACKOFF_SECONDS_FIRST
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            if self.program.once and code == 0:
                self._say(f"{self.name} has finished")
                return
            if time.monotonic() - started > STEADY_SECONDS:
                backoff = BACKOFF_SECONDS_FIRST
            last = "".join(f"\n      {line}" for line in self._last)
            self._say(f"{self.name} DIED ({_ending(code)}); starting it again in {backoff:.0f} s{last}")
            self._stopping.wait(backoff)
            backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)

    def _run_once(self) -> int:
        self._last.clear()
        child = self._child = subprocess.Popen(
            self.cmd,
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if self._stopping.is_set():  # it was told to stop between the check and the start
            self._stop(child)
        for line in iter(child.stdout.readline, b""):  # type: ignore[union-attr]
            self._last.append(line.decode(errors="replace").rstrip())
            self._send_message(line)
        child.wait()
        _kill_group(child)  # what it left behind when it died
        return child.returncode

    def _await_what_comes_first(self) -> None:
        while self.program.after and not self._stopping.is_set() and not answers(self.program.after):
            self._stopping.wait(AFTER_POLL_SECONDS)

    def _end_with_supervisor(self) -> None:
        while os.read(self.alive[0], 1):  # nothing is ever written: this returns when the pipe closes
            pass
        self._stopping.set()
        if self._child is not None:
            self._stop(self._child)

    def _stop(self, child: "subprocess.Popen[bytes]") -> None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS_MAX)
        _kill_group(child)

    def _say(self, text: str) -> None:
        self._events.put(Message(type="line", data=text, time=self._clock.now(), name=SUPERVISOR, colour=None))


def answers(url: str) -> bool:
    """Whether an HTTP server answers there, with whatever status."""
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  (always a local http address)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _kill_group(child: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
