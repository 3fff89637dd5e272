"""Writes the sample company into an empty installation: entities, people, connections, approved mappings. Idempotent.

Only configuration is written. Every document comes in through the counterparties' webhooks and lists.
"""

from collections.abc import Mapping
from datetime import date

from django.contrib.auth.models import Group, User

from connectors.models import Connection, WebhookSecret
from connectors.models.connection import ConnectionState
from connectors.services.poll import ensure_cursors
from demo.company import ACCOUNTS, CONNECTIONS, ENTITIES, MAPPINGS, SampleConnection
from finsync.audit.services import recording
from finsync.canonical.models import LegalEntity
from finsync.mappings.models import MappingVersion
from finsync.mappings.services import approve_and_activate, propose

MAPPINGS_FROM = date(2026, 1, 1)
# What a fresh sandbox account of each system is opened with.
SANDBOX_SECRETS: Mapping[str, Mapping[str, str]] = {
    "salesforce": {"client_id": "finsync", "client_secret": "sandbox"},
    "stripe": {"api_key": "sk_test_finsync"},
    "revenue_engine": {"api_key": "sandbox"},
}


def seed(
    places: Mapping[str, Mapping[str, str]], passwords: Mapping[str, str], erp: Mapping[str, str] | None = None
) -> None:
    """Make the sample company.

    ``places`` gives per connection name ``base_url`` and, for webhook senders, ``webhook_secret``; connections without
    a place are left out. ``passwords`` are per username. ``erp`` holds the ERP's ``database``, ``user``, ``password``.
    """
    with recording("system:seed"):
        for entity in ENTITIES:
            if not LegalEntity.objects.filter(pk=entity["code"]).exists():
                LegalEntity.objects.create(**entity)
        people = {account.username: _person(account.username, passwords) for account in ACCOUNTS}
        for sample in CONNECTIONS:
            if sample.name in places:
                _connection(sample, places[sample.name], erp or {})
        ensure_cursors()
        _mappings(people["maya"], people["omar"])


def _person(username: str, passwords: Mapping[str, str]) -> User:
    account = next(one for one in ACCOUNTS if one.username == username)
    first, _, last = account.name.partition(" ")
    person, created = User.objects.get_or_create(
        username=username, defaults={"first_name": first, "last_name": last, "email": f"{username}@example.com"}
    )
    if created:
        person.set_password(passwords[username])
        person.save()
    person.groups.set([Group.objects.get_or_create(name=account.role)[0]])
    return person


def _connection(sample: SampleConnection, place: Mapping[str, str], erp: Mapping[str, str]) -> None:
    connection = Connection.objects.filter(name=sample.name).first()
    if connection is None:
        connection = Connection(
            name=sample.name,
            kind=sample.kind,
            title=sample.title,
            roles=list(sample.roles),
            real=sample.real,
            base_url=place["base_url"],
            **sample.values,
        )
        if "erp" in sample.roles:
            connection.state, connection.state_reason = ConnectionState.WAITING, "the ERP is being set up"
            connection.options = {"database": erp["database"]}
            connection.seal_secrets({"user": erp["user"], "password": erp["password"]})
        else:
            connection.options = {"poll_interval_seconds": "20"}
            connection.seal_secrets(dict(SANDBOX_SECRETS[sample.kind]))
        connection.concurrency_now = connection.concurrency_max
        connection.save()
    elif connection.base_url != place["base_url"]:
        connection.base_url = place["base_url"]
        connection.save()
    if "webhook_secret" in place and not connection.webhook_secrets.exists():
        secret = WebhookSecret(connection=connection, slot=1)
        secret.seal(place["webhook_secret"])
        secret.save()


def _mappings(author: User, approver: User) -> None:
    for name, document in MAPPINGS.items():
        if not MappingVersion.objects.filter(name=name).exists():
            version = propose(
                name, document, author, effective_from=MAPPINGS_FROM, reason="Sample company at the start"
            )
            approve_and_activate(version, approver)
