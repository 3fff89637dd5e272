"""Audit entries as the API says them."""

from typing import Any

from rest_framework import serializers

from finsync.audit.models import AuditEntry, AuditLink
from finsync.kit.serializers import Masked


class LinkSerializer(serializers.ModelSerializer):
    """The entry's place in its hash chain."""

    hash = serializers.SerializerMethodField(help_text="sha256 over the previous hash and this entry, in hex.")

    class Meta:
        model = AuditLink
        fields = ("chain", "sequence", "hash")
        read_only_fields = fields

    def get_hash(self, link: AuditLink) -> str:
        """Return the hash in hex."""
        return bytes(link.hash).hex()


class AuditEntrySerializer(serializers.ModelSerializer):
    """One insert, update or delete of one row, as the database recorded it. Of an update only what changed."""

    link = serializers.SerializerMethodField(help_text="Null only until the transaction that wrote it has ended.")
    old = Masked(allow_null=True)
    new = Masked(allow_null=True)

    class Meta:
        model = AuditEntry
        fields = (
            "id",
            "at",
            "actor",
            "on_behalf_of",
            "correlation_id",
            "table_name",
            "row_pk",
            "operation",
            "old",
            "new",
            "link",
        )
        read_only_fields = fields

    def get_link(self, entry: AuditEntry) -> dict[str, Any] | None:
        """Return chain, sequence and hash."""
        link = getattr(entry, "link", None)
        return LinkSerializer(link).data if link is not None else None
