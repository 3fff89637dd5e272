"""``python -m connectors.systems.stripe.sandbox --port P --state FILE --webhook-url URL --webhook-secret S``."""

from connectors.doubles.server import run
from connectors.systems.stripe.sandbox.double import StripeDouble

run(StripeDouble)
