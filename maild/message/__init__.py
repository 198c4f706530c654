"""What a mail says: pure functions from bytes to values, and from values to bytes.

Nothing in this package does I/O, reads a clock, draws a random number or logs. `parse` reads a mail; the other
rooms (`reply`, `classify`, `bounce`, `match`, ...) answer one question each about what was read, and `compose` is
the only maker of outgoing mail.
"""
