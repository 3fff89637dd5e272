"""Reading the book."""

from finsync.canonical.models import Customer


def customer_name(key: str) -> str:
    """Return what people call the customer of an aggregate key; its account id where the book does not know it."""
    name = Customer.objects.filter(aggregate_key=key).values_list("name", flat=True).first()
    return name or key.partition(":")[2]
