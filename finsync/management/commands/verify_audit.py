"""`manage.py verify_audit`: recompute the audit log's hash chains."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from finsync.audit.selectors import verify_chains


class Command(BaseCommand):
    """Fail loudly where an entry was changed, removed or cut off."""

    help = "Recompute the hash chains of the audit log."

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and print, or raise CommandError with the findings."""
        report = verify_chains()
        if report.findings:
            raise CommandError("The audit log was tampered with:\n" + "\n".join(report.findings))
        self.stdout.write(f"{report.entries} audit entries, every chain is whole")
