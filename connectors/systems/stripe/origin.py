"""Whose statement it is and when it was true: what every record of one letter shares.

Order (VersionKind.TIMESTAMP). Stripe numbers nothing and counts time in whole seconds, so an ordinal is
``second × 1000 + rank``: the rank of the object's own lifecycle (open before paid) orders what happened within one
second. For an event the second is ``created``. A fetched snapshot is the state at the moment it was read, of which only
the Date header of the answer is known, and that is stamped after reading; a change made in between must not look older
than the snapshot. So a snapshot claims ``Date − SNAPSHOT_MARGIN_SECONDS``, but never less than the object's own
last transition. It then holds: a change not contained in a snapshot is always later or tied, never stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.contract import ConnectionConfig, NeedsFetch
from connectors.reading import Cursor
from connectors.systems.stripe.amounts import moment
from finsync.core.records import Lineage
from finsync.core.sequencing import VersionKind

API_VERSION = "2024-06-20"  # pinned; the last family of versions in which charge and invoice name each other
SNAPSHOT_MARGIN_SECONDS = 2  # reading to Date header, up to one second long, may cross a second boundary
MILLISECONDS = 1000
UNMAPPED_PREFIX = "stripe-"


class FetchFirst(Exception):
    """The letter alone does not say enough; turned into ``NeedsFetch``."""

    def __init__(self, record_type: str, source_id: str, reason: str) -> None:
        super().__init__(reason)
        self.answer = NeedsFetch(object=record_type, source_id=source_id, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one connection.

    ``entity`` stands in where metadata names none. ``standalone``: there is no CRM, a Stripe customer is the customer.
    ``currency`` is what standalone customers trade in where Stripe knows none. ``fetch_fees`` reads every charge
    again with its balance transaction. ``tax_rates`` are Stripe's tax rate ids by legal entity.
    """

    system: str
    entity: str = ""
    standalone: bool = False
    zone: ZoneInfo
    currency: str = ""
    fetch_fees: bool = False
    livemode: bool | None = None
    tax_rates: Mapping[str, str]

    @classmethod
    def of(cls, config: ConnectionConfig) -> "Settings":
        """Read the options. Raises ValueError for one that makes no sense: a defect of the configuration."""
        options = config.options
        if ":" in config.name:
            raise ValueError(f"a connection name is part of keys and has no colon: {config.name!r}")
        try:
            zone = ZoneInfo(options.get("timezone", "UTC"))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"connection {config.name}: timezone {options['timezone']!r} is unknown") from error
        return cls(
            system=config.name,
            entity=options.get("entity", ""),
            standalone=_flag(options, "standalone"),
            zone=zone,
            currency=options.get("currency", ""),
            fetch_fees=_flag(options, "fetch_fees"),
            livemode=_flag(options, "livemode") if "livemode" in options else None,
            tax_rates={
                name.removeprefix("tax_rate."): value for name, value in options.items() if name.startswith("tax_rate.")
            },
        )


def _flag(options: Mapping[str, str], name: str) -> bool:
    text = str(options.get(name, "false")).lower()
    if text not in ("true", "false"):
        raise ValueError(f"option {name} is true or false, not {text!r}")
    return text == "true"


@dataclass(frozen=True, slots=True)
class Labels:
    """The metadata of an object and of what it belongs to, later ones winning. Stripe keeps texts only."""

    fields: Mapping[str, Cursor]

    @classmethod
    def of(cls, *objects: Cursor) -> "Labels":
        """Merge the metadata of objects, the most specific last; an empty text is unset, as in Stripe."""
        found: dict[str, Cursor] = {}
        for item in objects:
            if item.given and item["metadata"].given:
                metadata = item["metadata"]
                if not isinstance(metadata.value, dict):
                    raise metadata.refuse("an object is needed")
                found |= {name: metadata[name] for name, value in metadata.value.items() if value != ""}
        return cls(found)

    @classmethod
    def of_customer(cls, thing: Cursor) -> "Labels":
        """Who and where from the customer a fetched object came with; what else it is labelled with is its own."""
        customer = thing["customer"]
        return cls.of(customer).only("account_id", "entity") if isinstance(customer.value, dict) else cls({})

    def only(self, *names: str) -> "Labels":
        """These labels and no others."""
        return Labels({name: self.fields[name] for name in names if name in self.fields})

    def over(self, general: "Labels") -> "Labels":
        """These labels, and the more general ones where these are silent."""
        return Labels({**general.fields, **self.fields})

    def identifier(self, name: str, default: str = "") -> str:
        """A code, or the default where there is none."""
        return self.fields[name].identifier() if name in self.fields else default

    def whole(self, name: str) -> int:
        """A number from 0, 0 where there is none."""
        return self.fields[name].whole() if name in self.fields else 0

    def day(self, name: str) -> date | None:
        """A day, or None."""
        return self.fields[name].day() if name in self.fields else None


def id_of(reference: Cursor) -> str:
    """The id of another object, given as an id or written out in its place."""
    return (reference["id"] if isinstance(reference.value, dict) else reference).identifier()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One letter: event or snapshot, the second it speaks for, and the API version it is written in."""

    settings: Settings
    second: int
    snapshot: bool
    api_version: str

    def entity(self, labels: Labels, thing: Cursor, ask: FetchFirst) -> str:
        """The legal entity that sells; refused where neither metadata nor the connection names it."""
        entity = labels.identifier("entity", self.settings.entity)
        if entity:
            return entity
        if not self._knows_customer(thing):
            raise ask
        refusal = thing["metadata"].refuse("metadata names no legal entity and the connection has none")
        refusal.code = "MDM_ENTITY_UNMAPPED"
        raise refusal

    def account(self, labels: Labels, thing: Cursor, ask: FetchFirst) -> str:
        """The golden customer id, from metadata; a letter without it is fetched together with its customer.

        A customer that nobody labelled becomes ``stripe-cus_…``: no ledger knows it, so a person maps it.
        """
        customer_id = id_of(thing["customer"])
        if self.settings.standalone:
            return customer_id
        account_id = labels.identifier("account_id")
        if not account_id and not self._knows_customer(thing):
            raise ask
        return account_id or UNMAPPED_PREFIX + customer_id

    def _knows_customer(self, thing: Cursor) -> bool:
        return self.snapshot or isinstance(thing["customer"].value, dict)

    def lineage(
        self,
        what: str,
        source_id: str,
        *,
        rank: int,
        own_second: int,
        correlation_id: str,
        effective: date | None = None,
    ) -> Lineage:
        """The lineage of one record; ``own_second`` is the last time the object itself says it changed."""
        second = max(self.second, own_second) if self.snapshot else self.second
        ordinal = second * MILLISECONDS + rank
        return Lineage(
            system=self.settings.system,
            object=what,
            source_id=source_id,
            source_version=str(ordinal),
            version_kind=VersionKind.TIMESTAMP,
            ordinal=ordinal,
            source_ts=moment(second),
            correlation_id=correlation_id,
            effective_date=effective,
            schema_version=self.api_version,
        )
