"""What others may look at: the section `[metrics]`."""

from pydantic import field_validator

from maild.config.kinds import Section
from maild.config.kinds.hosts import Endpoint, Listen, is_loopback


class Metrics(Section):
    """`[metrics]`: figures for Prometheus; left out, nothing listens."""

    listen: Listen = Endpoint("127.0.0.1", 9925)

    @field_validator("listen")
    @classmethod
    def _stays_here(cls, listen: Listen) -> Listen:
        """Refuse to be seen by other machines: nobody has to log in to see the figures."""
        if not is_loopback(listen.host):
            raise ValueError("expected an address of this machine, such as '127.0.0.1:9925'; put a proxy in front")
        return listen
