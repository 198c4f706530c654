"""maild: a help desk that lives in e-mail.

     network -- services/smtp_listener --+                                                +-- services/sender -- network
                                         +-> inbox -> services/filer ---> desk -> outbox -+
     mailbox -- services/imap_poller ----+   [mail]   message/* reads     [ticket]  [mail]
                                                      rules/*   decides   [history] [delivery]
                                                                            ^
     time ----- services/scheduler ------------------- Tick ----------------+

[brackets] are tables. Left of `inbox` nothing is decided; right of `outbox` nothing is decided; `desk` is the only
door to a ticket. The database is the only state. The pages behind this picture: docs/flow.md.
"""

__version__ = "0.2.0"
