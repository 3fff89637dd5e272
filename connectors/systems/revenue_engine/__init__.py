"""The door to a revenue engine; the connector lives in ``connector``, a double of the engine in ``sandbox``."""
