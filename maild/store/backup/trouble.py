"""Why a backup or its restoration came to nothing; each text is a sentence for the operator."""


class BackupError(Exception):
    """It could not be made, or not be restored; the database is as it was."""


class UnusableError(BackupError):
    """The file is no whole backup for this kind of database."""


class NotEmptyError(BackupError):
    """Something is there that would be lost."""
