"""What sandbox doubles share: an HTTP server, a store, a menu of faults and a webhook sender.

A double is another system: nothing here knows a connector, a room of finsync or Django.
"""
