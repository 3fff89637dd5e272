"""`manage.py seed_demo`: the sample company, with the counterparties of this local installation."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from demo.company import ACCOUNTS
from demo.seed import seed
from finsync.local.places import Home, counterparties

PASSWORD_WORDS = 3


class Command(BaseCommand):
    """Make the sample company once; later calls only follow moved addresses and print the accounts again."""

    help = "Make the sample company of the demo; refused outside demo settings."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed and print the accounts."""
        if not getattr(settings, "ENVIRONMENT_LABEL", "").startswith("Demo"):
            raise CommandError("seed_demo works with demo settings only (finsync.settings.local).")
        home = Home(settings.HOME)
        passwords = self._passwords(home)
        seed(counterparties(home), passwords, erp={"database": "erp", "user": "finsync", "password": passwords["erp"]})
        accounts = [
            {"username": one.username, "password": passwords[one.username], "role": one.role, "name": one.name}
            for one in ACCOUNTS
            if User.objects.filter(username=one.username).exists()
        ]
        if options["json"]:
            self.stdout.write(json.dumps({"accounts": accounts}))
        else:
            for account in accounts:
                self.stdout.write(f"{account['username']:<8}{account['password']:<24}{account['role']}")

    def _passwords(self, home: Home) -> dict[str, str]:
        """Return the passwords of this installation, made at the first call and readable by its owner only."""
        path = home.keys / "demo_passwords.json"
        if path.exists():
            known: dict[str, str] = json.loads(path.read_text())
            return known
        made = {one.username: f"{one.username}-{secrets.token_urlsafe(9)}" for one in ACCOUNTS}
        made["erp"] = secrets.token_urlsafe(16)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(made))
        return made
