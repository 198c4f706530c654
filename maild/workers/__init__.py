"""Processes of their own for what thinks, beside the daemon, which only moves bytes.

    daemon     takes mail in, fetches it, stores it, sends it; starts the others and outlives them
    worker     files mails (a foreign parser meets what strangers write), ticks tickets, keeps order
    filer-N    files mails, while more of them wait than one process can file

A mail that kills a parser, or has it swallow all memory, costs a worker; the daemon frees what that had leased, writes
down which mails it had begun, and starts another. The database is the only meeting point; what is said between the
processes makes things prompt and is never needed:

    daemon -> worker     "go": the database is ready · "mail": look, some was stored · "filed": look, a ticket changed ·
                         "how": tell how you are · "stop"; the end of the channel means stop, too
    worker -> daemon     "ready" or "refused" · "claims": the fence of what is claimed next · "begins": these mails ·
                         "did": a group was filed, tickets were ticked · "state": steps, faults, lines logged

    channel      what the messages are
    spawning     a process is begun: its command, what it is given
    child        a worker, as the daemon sees it
    supervisor   the thread that has them
    recovery     what a dead worker had leased
    worker       the program of a worker
    start        its first lines
"""
