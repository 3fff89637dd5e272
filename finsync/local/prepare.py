"""Makes the database and static files ready: ``python -m finsync.local.prepare``, one Django start for all steps."""

import io
import json
import os
import sys

import django
from django.core.management import call_command

from finsync.local.places import Home
from finsync.local.steps import step


def main() -> int:
    """Migrate, collect static files, seed the sample company; its accounts go to HOME/demo.json."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finsync.settings.local")
    home = Home.from_environment()
    with step("migrate") as under_way:
        django.setup()
        under_way.detail = _last_line("migrate", "--no-input", verbosity=1)
    with step("static files") as under_way:
        under_way.detail = _last_line("collectstatic", "--no-input", verbosity=1)
    with step("seed"):
        answer = json.loads(_output("seed_demo", "--json"))
        part = home.demo.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(answer, indent=1))
        part.replace(home.demo)
    return 0


def _output(command: str, *arguments: str, **options: object) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def _last_line(command: str, *arguments: str, **options: object) -> str:
    lines = _output(command, *arguments, no_color=True, **options).strip().splitlines()
    return lines[-1].strip() if lines else ""


if __name__ == "__main__":
    sys.exit(main())
