import pytest
from tests.flows.company import company, settle
@pytest.mark.django_db(transaction=True)
def test_try():
    from finsync.posting.models import Posting, Attempt
    from connectors.models import InboxMessage
    from finsync.canonical.models import Fact, Invoice
    from exceptions_queue.models import ExceptionCase
    stages=("poll","fetch","normalise","apply","plan","release","dispatch","settle")
    with company() as c:
        a=c.customer("acme","US01","Acme Inc")
        c.sign("C-1001", a)
        try:
            settle(lambda: Invoice.objects.exists(), only=stages, seconds=20)
            c.pay("INV-0001","US01","2026-01-05")
            c.expand("C-1001")
            settle(lambda: Invoice.objects.count()==2, only=stages, seconds=20)
        except AssertionError as e: print("!!!", e)
        for m in InboxMessage.objects.all(): print(m.channel,m.object,m.event_id,m.state,m.reason)
        for f in Fact.objects.all(): print(f.aggregate_id,f.ordinal,f.state,f.explanation)
        for p in Posting.objects.all(): print(p.connection.name,p.doc_type,p.business_key,p.status,p.status_reason)
        for p in Attempt.objects.all(): print(p.kind,p.outcome,p.http_status,p.detail)
        for x in ExceptionCase.objects.all(): print(x.code,x.explanation)
        for x in Invoice.objects.all(): print(x.number,x.net_minor,x.tax_minor,x.total_minor,x.status)
