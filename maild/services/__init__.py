"""What runs: loops around one step each, which share nothing but the database."""
