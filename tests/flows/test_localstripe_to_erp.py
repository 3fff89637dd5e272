"""A webhook sender that this project did not write, all the way into a real ERP."""

from decimal import Decimal

import pytest

from connectors.models import Connection, WebhookSecret
from connectors.services.poll import ensure_cursors
from finsync.audit.services import recording
from finsync.canonical.models import Invoice, Payment
from finsync.posting.models import Posting
from tests.connectors.localstripe_fixture import Localstripe, localstripe  # noqa: F401
from tests.flows.company import SECRET, Company, settle, webhook_door

pytestmark = [pytest.mark.story, pytest.mark.erp]


def test_signed_webhooks_of_localstripe_become_documents_in_the_erp(
    sample: Company,
    ledger,
    localstripe: Localstripe,  # noqa: F811
):
    with recording("system:test"):
        billing = Connection(
            name="localstripe",
            kind="stripe",
            title="localstripe",
            roles=["crm", "billing", "gateway"],
            base_url=localstripe.url,
            options={"standalone": "true", "entity": "US01", "currency": "USD", "poll_interval_seconds": "3600"},
        )
        billing.seal_secrets({"api_key": "sk_test_12345"})
        billing.save()
        secret = WebhookSecret(connection=billing, slot=1)
        secret.seal(SECRET)
        secret.save()
        ensure_cursors()
    with webhook_door() as door:
        localstripe.send_webhooks_to(f"{door}/webhooks/localstripe/", SECRET)
        plan, tax = localstripe.create_plan(), localstripe.create_tax_rate()
        customer = localstripe.create_customer("Local Customer Ltd")
        localstripe.subscribe(customer, plan, 10, tax)
        settle(
            lambda: (
                Payment.objects.filter(source_system="localstripe").exists()
                and Posting.objects.filter(doc_type="payment", status="POSTED").exists()
                and not Posting.objects.filter(connection__name="tryton").exclude(status="POSTED").exists()
            ),
            seconds=90,
        )
    invoice = Invoice.objects.get(source_system="localstripe")
    assert (invoice.net_minor, invoice.tax_minor) == (49_000, 4_043)
    posted = set(Posting.objects.filter(status="POSTED", connection__name="tryton").values_list("doc_type", flat=True))
    assert {"customer", "invoice", "payment"} <= posted
    balances = ledger.account_balances("US01", invoice.invoice_date.replace(month=12, day=31))
    assert balances["2100"].major == -Decimal("490.00")
    assert balances["2200"].major == -Decimal("40.43")
    assert balances["1050"].major == Decimal("530.43")
