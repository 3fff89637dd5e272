"""``python -m connectors.systems.salesforce.sandbox --port P --state FILE …``"""

from connectors.doubles.server import run
from connectors.systems.salesforce.sandbox.app import SalesforceDouble

run(SalesforceDouble)
