"""SimERP: a simulated ERP for the fault tests. It is another system: nothing here knows a room of finsync or Django."""
