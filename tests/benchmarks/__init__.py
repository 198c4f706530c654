"""How fast it is, against what others do with the same work."""
