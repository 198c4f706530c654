"""Processes of their own for what thinks, beside the daemon, which only moves bytes.

    daemon         takes mail in, fetches it, stores it, sends it; has the others begun and outlives them
    fork-server    loads what the others need and becomes them: a worker begins within milliseconds
    worker         files mails (a foreign parser meets what strangers write), ticks tickets, keeps order
    filer-N        files mails, while more of them wait than one process can file

A mail that kills a parser, or has it swallow all memory, costs a worker; the daemon frees what that had leased, writes
down which mails it had begun, and starts another. The database is the only meeting point; what is said between the
processes makes things prompt and is never needed:

    daemon -> worker     "go": the database is ready · "mail": look, some was stored · "filed": look, a ticket changed ·
                         "how": tell how you are · "stop"; the end of the channel means stop, too
    worker -> daemon     "ready" or "refused" · "claims": the fence of what is claimed next · "begins": these mails ·
                         "did": a group was filed, tickets were ticked · "state": steps, faults, lines logged

    channel      what the messages are
    spawning     the daemon's way to the fork server: what a worker is given
    child        a worker, as the daemon sees it
    supervisor   the thread that has them
    staffing     how many there are
    pauses       how long one that died is not begun again
    recovery     what a dead worker had leased
    start        the first lines of the fork server
    forkserver   its program
    worker       the program of a worker
"""
