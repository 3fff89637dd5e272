"""Tryton 8.2: the ERP finsync posts to. Real software in its own process and virtual environment."""
