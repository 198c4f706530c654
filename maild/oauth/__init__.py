"""OAuth2 tokens for logging in to mail servers: how they are had, kept and renewed.

    device              RFC 8628: a code is shown, a person types it in on the provider's page
    browser             RFC 6749 4.1 with PKCE (RFC 7636): a page is opened, the address it ends at is pasted back
    client-credentials  RFC 6749 4.4: no person; the application has a right of its own

    provider   what is asked of a provider, and its refusals
    consent    the first login, by a person: the flows device and browser
    tokens     what came of it, kept and renewed; the flow client-credentials needs no more

Tokens are in the table `token`, one row for an account and an application, so mailbox and relay of one account share
it. A provider may give a new refresh token with each access token and forget the old one: both are stored in one
statement, by the one thread and node that has leased the row (`renewing_until`); all others wait for what it gets.
Nothing secret is in an error, a log or a repr; errors carry the provider's own words.
"""
