"""Applying what systems state: in order, once, by the system of record."""
