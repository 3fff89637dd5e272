"""Taking letters in, asking for what is missing, reading them."""
