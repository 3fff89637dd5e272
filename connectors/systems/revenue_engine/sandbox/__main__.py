"""``python -m connectors.systems.revenue_engine.sandbox --port P --state FILE …``"""

from connectors.doubles.server import run
from connectors.systems.revenue_engine.sandbox.app import RevenueEngineDouble

run(RevenueEngineDouble)
