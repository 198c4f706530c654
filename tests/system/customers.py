"""Customers who send until they hear 250, whatever happens to the daemon meanwhile."""

import random
import smtplib
import threading

THREAD = 4  # mails of one conversation: the first opens a ticket, the others answer it


class Customer(threading.Thread):
    """Sends numbered mails, each again and again until it is answered 250."""

    def __init__(self, number: int, port: int, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.name = f"c{number}"
        self._port = port
        self._done = done
        self._retry = threading.Event()
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        count = 0
        while not self._done.is_set():
            self._send(count)
            count += 1

    def sent(self, error: Exception | None) -> None:
        """A mail was tried; trouble is nothing to this customer."""

    def _send(self, count: int) -> None:
        thread, place = divmod(count, THREAD)
        name = f"{self.name}-{thread}-{place}"
        first = f"<{self.name}-{thread}-0@client.example>"
        answers = f"In-Reply-To: {first}\r\nReferences: {first}\r\n" if place else ""
        # A sender for each conversation: many mails of one address in a short time would be grouped, as they must.
        sender = f"{self.name}-{thread}@client.example"
        mail = (
            f"From: {sender}\r\nTo: support@acme.example\r\nSubject: {name}\r\nDate: Mon, 2 Mar 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{name}@client.example>\r\n{answers}\r\n{name}\r\n" + "x" * random.randrange(4000) + "\r\n"
        )
        while True:  # even when all is done: a mail that was tried ends once
            try:
                with smtplib.SMTP("127.0.0.1", self._port, timeout=20) as smtp:
                    smtp.sendmail(sender, ["support@acme.example"], mail)
            except smtplib.SMTPResponseException as error:
                self.sent(error)
                if error.smtp_code >= 500:
                    self.refused.append(f"{name}: {error.smtp_code} {error.smtp_error!r}")
                    return
            except (OSError, smtplib.SMTPException) as error:
                self.sent(error)
            else:
                self.acknowledged.append(name)
                self._retry.wait(0.02)  # else thousands come in before the first is filed, which takes minutes then
                return
            self._retry.wait(0.02)
