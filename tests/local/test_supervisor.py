"""One supervisor, its programs and what is left of them: nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from finsync.local import running
from finsync.local.places import PROJECT

# A supervisor with a steady program, one that ends by itself, one that dies and, where asked, one deaf to SIGTERM.
SUPERVISED = """
import os, sys
from pathlib import Path
from finsync.local.lock import exclusive
from finsync.local.places import Home
from finsync.local.supervisor import Lines, Program, Supervisor
home = Home(Path(sys.argv[1]))
sleeper = "import time; time.sleep(600)"
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
with exclusive(home):
    supervisor = Supervisor(Lines(home.logs, verbose=False), ())
    for name, source, once in (("steady", sleeper, False), ("brief", "print('told')", True), ("dying", "1/0", False),
                               ("deaf", deaf, False)):
        if name == "deaf" and "deaf" not in sys.argv:
            continue
        program = Program(name=name, command=(sys.executable, "-c", source, "of " + str(home.path)), once=once)
        supervisor.add(program, cwd=home.path, env=dict(os.environ))
    supervisor.loop()
"""


class Started:
    """A supervisor in a process of its own, and the programs it started."""

    def __init__(self, home: Path, *more: str) -> None:
        self.home = home
        self.output = home / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISED, str(home), *more],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self, text: str) -> bool:
        return text in self.output.read_text()

    def programs(self, source: str = "") -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if f"of {self.home}" in command and source in " ".join(command):
                found.append(process)
        return found


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    assert running.until(lambda: started.programs("sleep") and started.said("brief has finished"), 20)
    yield started
    started.process.kill()
    started.process.wait()
    assert running.until(lambda: not started.programs(), 15), "left behind"


def test_interrupt_stops_every_program_even_a_deaf_one(tmp_path: Path) -> None:
    started = Started(tmp_path, "deaf")
    assert running.until(lambda: len(started.programs("sleep")) == 2 and (tmp_path / "logs/deaf.log").exists(), 20)
    started.process.send_signal(signal.SIGINT)
    assert started.process.wait(15) == 0
    assert started.programs() == []


def test_programs_end_when_the_supervisor_is_killed_and_the_next_start_waits_for_them(supervisor: Started) -> None:
    supervisor.process.kill()
    again = Started(supervisor.home)
    try:
        assert running.until(lambda: again.said("brief has finished"), 25)
        assert len(again.programs("sleep")) == 1
        assert not again.said("already runs")
    finally:
        again.process.send_signal(signal.SIGTERM)
        again.process.wait(15)


def test_second_supervisor_of_the_same_home_is_refused(supervisor: Started) -> None:
    (supervisor.home / "logs").rename(supervisor.home / "logs-of-the-first")
    second = subprocess.run(
        [sys.executable, "-c", SUPERVISED, str(supervisor.home)],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert second.returncode != 0
    assert f"already runs in {supervisor.home} (process {supervisor.process.pid})" in second.stderr


def test_program_that_dies_is_started_again_and_the_death_is_said_with_its_last_words(supervisor: Started) -> None:
    assert running.until(lambda: supervisor.output.read_text().count("dying DIED (exit code 1)") >= 2, 10)
    assert supervisor.said("ZeroDivisionError")
    (steady,) = supervisor.programs("sleep")
    steady.kill()
    assert running.until(lambda: supervisor.said("steady DIED (signal SIGKILL)"), 5)
    assert running.until(lambda: len(supervisor.programs("sleep")) == 1, 10)


def test_program_that_may_end_by_itself_is_not_started_again(supervisor: Started) -> None:
    assert running.until(lambda: supervisor.said("brief has finished"), 10)
    time.sleep(1.5)
    assert (supervisor.home / "logs" / "brief.log").read_text().count("told") == 1
