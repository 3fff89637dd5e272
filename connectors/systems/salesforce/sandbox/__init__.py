"""A double of Salesforce: another system, so it never imports the connector's code."""
