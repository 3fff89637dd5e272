"""`manage.py api_token`: issue, list and revoke tokens for the API."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from finsync.audit.services import recording
from finsync.kit.models import LIFETIME_DAYS_MAX, ApiToken, Scope


class Command(BaseCommand):
    """A token belongs to a person and can do at most what that person's roles allow."""

    help = "Issue, list or revoke API tokens. A token's text is shown once, when it is issued."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the three things this can do."""
        does = parser.add_subparsers(dest="does", required=True)
        issue = does.add_parser("issue", help="make a token and show it, this once")
        issue.add_argument("person", help="user name of the owner")
        issue.add_argument("label", help="what it is for, such as 'month-end script'")
        issue.add_argument("--act", action="store_true", help="may also act, where the owner's roles allow it")
        issue.add_argument("--days", type=int, default=LIFETIME_DAYS_MAX, help=f"1 to {LIFETIME_DAYS_MAX}")
        revoke = does.add_parser("revoke", help="end a token at once")
        revoke.add_argument("prefix", help="the eight characters after fs_")
        listing = does.add_parser("list", help="say which tokens are alive")
        listing.add_argument("--person", help="only of this owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of them. Raises CommandError with what to correct."""
        with recording("system:api_token"):
            {"issue": self._issue, "revoke": self._revoke, "list": self._list}[options["does"]](options)

    def _issue(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["person"], is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active person called {options['person']}.")
        if not 1 <= options["days"] <= LIFETIME_DAYS_MAX:
            raise CommandError(f"--days is 1 to {LIFETIME_DAYS_MAX}.")
        scopes = [Scope.READ, Scope.ACT] if options["act"] else [Scope.READ]
        token, text = ApiToken.issue(owner, options["label"], [scope.value for scope in scopes], options["days"])
        self.stderr.write(f"{_line(token)}. Shown once:")
        self.stdout.write(text)

    def _revoke(self, options: dict[str, Any]) -> None:
        prefix = options["prefix"].removeprefix("fs_")[:8]
        if not ApiToken.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=timezone.now()):
            raise CommandError(f"No live token starts with fs_{prefix}.")
        self.stdout.write(f"fs_{prefix}_… is revoked.")

    def _list(self, options: dict[str, Any]) -> None:
        rows = ApiToken.objects.select_related("owner").filter(revoked_at=None, expires_at__gt=timezone.now())
        if options["person"]:
            rows = rows.filter(owner__username=options["person"])
        for token in rows.order_by("owner__username", "expires_at"):
            used = f", last used {token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else ", never used"
            self.stdout.write(f"{_line(token)}{used}")


def _line(token: ApiToken) -> str:
    scopes, end = " and ".join(token.scopes), f"{token.expires_at:%Y-%m-%d}"
    return f"fs_{token.prefix}_… of {token.owner.get_username()} ({token.label}): {scopes}, until {end}"
