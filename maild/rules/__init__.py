"""PURE: what follows from an event; no clock, no database, no network, no log."""
