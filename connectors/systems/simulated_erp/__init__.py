"""The connector of the simulated ERP."""
