"""How letters can be filtered: one set for the page and the API."""

import django_filters
from django.db.models import Q, QuerySet

from connectors.models import InboxMessage
from finsync.kit.badges import words_of
from finsync.kit.facets import AnyOf, Facet
from finsync.kit.wording import plain


class EventFilter(django_filters.FilterSet):
    """Filters by state, source, channel, kind, reason and id."""

    state = AnyOf(field_name="state")
    source = AnyOf(field_name="connection__name")
    channel = AnyOf(field_name="channel")
    object = AnyOf(field_name="object")
    reason = AnyOf(field_name="reason_code")
    received_from = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    received_to = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt")
    q = django_filters.CharFilter(method="by_text")

    class Meta:
        model = InboxMessage
        fields: list[str] = []

    def by_text(self, rows: QuerySet[InboxMessage], name: str, value: str) -> QuerySet[InboxMessage]:
        """Letters with this event id or body hash, of this kind, or with this text in their reason."""
        text = value.strip()
        asked = Q(event_id=text) | Q(sha256=text.lower()) | Q(object__iexact=text) | Q(reason__icontains=text)
        return rows.filter(asked | Q(pk=int(text)) if text.isascii() and text.isdigit() and len(text) < 18 else asked)


FACETS = (
    Facet("state", "State", "state", words_of("inbox")),
    Facet("source", "Source", "connection__name"),
    Facet("channel", "Channel", "channel", label=plain),
    Facet("object", "Kind", "object", empty="Unreadable"),
    Facet("reason", "Reason", "reason_code"),
)
