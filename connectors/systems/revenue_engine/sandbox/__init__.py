"""A double of a revenue engine: another system, so it never imports the connector's code."""
