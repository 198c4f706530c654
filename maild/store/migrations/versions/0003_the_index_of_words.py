"""The index of words, `maild.store.search`; written by hand, since its tables differ on the two databases.

Who changes what is indexed, or how, writes a migration that fills the index anew. One that has SQLite make the table
`mail` or `ticket` anew (a batch change) has to make its triggers anew, too: they go with the table.
"""

import sqlalchemy as sa
import structlog
from alembic import op

from maild.message.search import Indexed  # not as it was then: what is looked for is read by the same function

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

log = structlog.get_logger("maild.store")

BATCH = 2_000  # mails
MAILS = sa.text(
    "SELECT id, subject, text FROM mail WHERE id > :after AND ticket_id IS NOT NULL"
    " AND (direction = 'in' AND state = 'filed' AND purpose <> 'answer' OR direction = 'out' AND purpose = 'answer')"
    " ORDER BY id LIMIT :most"
)

SQLITE = (
    """CREATE VIRTUAL TABLE mail_search USING fts5(
        subject, text, columnsize=0, tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co M*'"
    )""",
    """CREATE TRIGGER mail_search_mail_deleted AFTER DELETE ON mail BEGIN
        DELETE FROM mail_search WHERE rowid = old.id;
    END""",
    """CREATE TRIGGER mail_search_mail_changed AFTER UPDATE OF subject, text ON mail
    WHEN (old.subject IS NOT NULL OR old.text IS NOT NULL)
        AND (old.subject IS NOT new.subject OR old.text IS NOT new.text)
    BEGIN
        DELETE FROM mail_search WHERE rowid = old.id;
    END""",
    """CREATE TRIGGER mail_search_ticket_deleted AFTER DELETE ON ticket BEGIN
        DELETE FROM mail_search WHERE rowid = -old.id;
    END""",
)
POSTGRESQL = (
    "CREATE TABLE mail_search (id bigint CONSTRAINT pk_mail_search PRIMARY KEY, words tsvector NOT NULL)",
    """CREATE FUNCTION mail_search_forget() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN DELETE FROM mail_search WHERE id = TG_ARGV[0]::bigint * OLD.id; RETURN NULL; END'""",
    """CREATE TRIGGER mail_search_mail_deleted AFTER DELETE ON mail
    FOR EACH ROW EXECUTE FUNCTION mail_search_forget('1')""",
    """CREATE TRIGGER mail_search_mail_changed AFTER UPDATE OF subject, text ON mail FOR EACH ROW
    WHEN ((OLD.subject IS NOT NULL OR OLD.text IS NOT NULL)
        AND (OLD.subject IS DISTINCT FROM NEW.subject OR OLD.text IS DISTINCT FROM NEW.text))
    EXECUTE FUNCTION mail_search_forget('1')""",
    """CREATE TRIGGER mail_search_ticket_deleted AFTER DELETE ON ticket
    FOR EACH ROW EXECUTE FUNCTION mail_search_forget('-1')""",
)
INDEX = "CREATE INDEX ix_mail_search_words ON mail_search USING gin (words)"  # cheaper once the table is filled


def upgrade() -> None:
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    if sqlite and not has_fts5(connection):
        log.warning("this SQLite library has no FTS5: searching compares the texts of the last mails instead")
        return
    for statement in SQLITE if sqlite else POSTGRESQL:
        connection.exec_driver_sql(statement)
    _fill(connection, sqlite)
    if not sqlite:
        connection.exec_driver_sql(INDEX)


def has_fts5(connection: sa.Connection) -> bool:
    """Return whether the SQLite library has FTS5."""
    try:
        connection.exec_driver_sql("SELECT fts5(NULL)")
    except sa.exc.OperationalError:
        return False
    return True


def _fill(connection: sa.Connection, sqlite: bool) -> None:
    columns = "(rowid, subject, text) VALUES (:id, :subject, :text)"
    if not sqlite:
        columns = "(id, words) VALUES (:id, CAST(:words AS tsvector))"
    insert, after = sa.text(f"INSERT INTO mail_search {columns}"), 0
    while rows := connection.execute(MAILS, {"after": after, "most": BATCH}).all():
        said = [(row.id, Indexed.of(row.subject or "", row.text or "")) for row in rows]
        connection.execute(insert, [{"id": number, **each.row(sqlite=sqlite)} for number, each in said])
        after = rows[-1].id
