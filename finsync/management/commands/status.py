"""`manage.py status`: what runs and how the counts stand, for people and for scripts."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection as database

from connectors.models import Connection

LAG = """
SELECT c.name, c.kind, c.real, c.state, coalesce(greatest(
  (SELECT extract(epoch FROM clock_timestamp() - min(m.received_at)) FROM inbox_message m
    WHERE m.connection_id = c.id AND m.state = 'RECEIVED'),
  (SELECT extract(epoch FROM clock_timestamp() - min(p.created_at)) FROM posting p
    WHERE p.connection_id = c.id AND p.status IN ('READY', 'SENDING', 'UNKNOWN', 'ACCEPTED'))), 0)::int
FROM connection c ORDER BY c.name
"""


class Command(BaseCommand):
    """Print the state of the installation on one screen, or as JSON."""

    help = "What runs and how the counts stand; --json for scripts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the counts once and print them."""
        report = self.report()
        if options["json"]:
            self.stdout.write(json.dumps(report))
            return
        for title in ("inbox", "postings", "cases"):
            counts = ", ".join(f"{state.lower()} {n}" for state, n in sorted(report[title].items())) or "none"
            self.stdout.write(f"  {title:<12}{counts}")
        for row in report["connections"]:
            kind = "real" if row["real"] else "double"
            lag = f"{row['lag_seconds']} s behind" if row["lag_seconds"] else "up to date"
            self.stdout.write(f"  {row['name']:<16}{row['state'].lower():<9}{kind:<8}{lag}")
        if not Connection.objects.exists():
            self.stdout.write("  no connections yet; `manage.py seed_demo` makes a sample company")

    def report(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        with database.cursor() as cursor:
            counts = {}
            for title, table, column in (
                ("inbox", "inbox_message", "state"),
                ("postings", "posting", "status"),
                ("cases", "exception_case", "state"),
            ):
                cursor.execute(f"SELECT {column}, count(*) FROM {table} GROUP BY 1")  # noqa: S608  (fixed names above)
                counts[title] = dict(cursor.fetchall())
            cursor.execute(LAG)
            connections = [
                {"name": name, "kind": kind, "real": real, "state": state, "lag_seconds": lag}
                for name, kind, real, state, lag in cursor.fetchall()
            ]
        return {**counts, "connections": connections}
