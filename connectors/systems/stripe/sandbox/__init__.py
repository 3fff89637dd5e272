"""A double of Stripe: billing and gateway as a separate server. README.md of the folder above says what is imitated."""
