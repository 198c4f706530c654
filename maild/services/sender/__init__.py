"""The sender: deliveries leave through the smarthost.

    delivery (due) -> claim -> order kept -> bytes, envelope -> Relay -> sent | tried again later | failed for good

`relay` speaks SMTP and knows no database; `sending` and `queue` know the queue and no protocol. What can become of a
delivery:

    250 after the dot                        sent
    4xx, or no answer                        tried again after 1, 5, 15, 60 minutes, then hourly (`rules.retry`)
    the relay cannot be reached, lets        the same for the whole batch; what then waits long is tried at once when
      nobody log in, has no TLS              a mail gets through again
    5xx, or tries for five days              failed: the desk is told, so the author learns it and the ticket opens
    no answer after the dot                  tried again: it may arrive twice, with one Message-ID; losing it is worse
"""

from maild.services.sender.relay import Outcome, Relay, RelayTrouble, Result
from maild.services.sender.sending import Sender

__all__ = ["Outcome", "Relay", "RelayTrouble", "Result", "Sender"]
