"""Which system may state what: the system of record by domain (domain.md 1.3).

Only the owner of a record type changes it through finsync; a differing statement by another system is an exception,
never a silent overwrite.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

OWNERS: Mapping[str, str] = MappingProxyType(
    {
        "customer": "crm",
        "contract_version": "crm",
        "subscription": "billing",
        "invoice": "billing",
        "payment": "gateway",
        "payment_application": "gateway",
        "revenue_schedule": "revenue",
    }
)


def owns(record_type: str, roles: Collection[str]) -> bool:
    """Whether a system with these roles is the system of record. Raises KeyError for an undeclared record type."""
    return OWNERS[record_type] in roles
