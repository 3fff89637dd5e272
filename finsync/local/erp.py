"""The ERP of the local installation: ``python -m finsync.local.erp`` builds it where needed, then serves it.

Building takes minutes at the first start; how far it is stands in HOME/progress/tryton.json. Killed at any step, the
next start goes on.
"""

import json
import signal
import subprocess
import sys
import time

from connectors.systems.tryton import provision
from finsync.local import progress
from finsync.local.places import Home, counterparties, known_socket_directory, port_of

DATABASE = "erp"
NAME = "tryton"


def main() -> int:
    """Build, clone, serve until told to stop. Returns 1 after a failure; the supervisor then starts it again."""
    home = Home.from_environment()
    started_at = time.time()

    def say(state: str, text: str) -> None:
        print(text, flush=True)
        progress.report(home, NAME, state, text, started_at)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = None
    try:
        server = _bring_up(home, lambda text: say(progress.WORKING, text))
        say(progress.READY, f"serves at {counterparties(home)[NAME]['base_url']}")
        code = server.wait()
        say(progress.FAILED, f"the server ended with code {code}")
    except provision.ProvisionFailed as failure:
        say(progress.FAILED, str(failure))
    finally:
        if server is not None and server.poll() is None:
            server.terminate()
            server.wait()
    return 1


def _bring_up(home: Home, say: provision.Progress) -> "subprocess.Popen[bytes]":
    venv, postgres = home.erp / "venv", str(known_socket_directory(home.postgres))
    _keep_password(home)
    provision.build_template(venv, postgres, home.erp, say)
    if provision.clone(postgres, DATABASE):
        say("ERP database made")
    port = port_of(counterparties(home)[NAME])
    return provision.start_server(venv, postgres, home.erp, DATABASE, port)


def _keep_password(home: Home) -> None:
    """Give the ERP's API user the password that the sample company's connection was made with."""
    path = home.erp / "api-password"
    if not path.exists():
        password = json.loads((home.keys / "demo_passwords.json").read_text())["erp"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f"{password}\n")


if __name__ == "__main__":
    sys.exit(main())
