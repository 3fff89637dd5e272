"""The door to a Salesforce CRM; the connector lives in ``connector``, a double of the CRM in ``sandbox``."""
