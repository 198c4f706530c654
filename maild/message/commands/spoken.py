"""The words by which people name times, in English and German, brought to the ones that `when` reads.

    morgen früh um 9 Uhr  ->  tomorrow morning 9        übermorgen  ->  overmorrow
    in zwei Wochen        ->  in 2 weeks                24. Dezember  ->  24. december

Only whole words are changed; one that is not in the table stays as it is, and then names no time. Of months and
weekdays the name alone counts, not the dot behind its short form.
"""

import re
from typing import Final

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

_SAME: Final = {
    "today": "heute",
    "tomorrow": "morgen tomorow tommorow tomorrrow tmrw",
    "overmorrow": "übermorgen uebermorgen",
    "tonight": "abends",
    "morning": "früh vormittag vormittags",
    "noon": "midday mittag mittags",
    "afternoon": "nachmittag nachmittags",
    "evening": "abend",
    "next": "nächste nächsten nächster nächstes naechste naechsten kommende kommenden kommender",
    "this": "diese diesen dieser dieses",
    "minutes": "minute minuten min mins",
    "hours": "hour stunde stunden std hrs hr",
    "days": "day tag tage tagen",
    "weeks": "week woche wochen",
    "months": "month monat monate monaten",
    "workdays": "workday werktag werktage werktagen arbeitstag arbeitstage arbeitstagen",
    "until": "bis",
    "at": "um",
    "on": "am",
    "from": "ab",
    "monday": "mon montag mo",
    "tuesday": "tue tues dienstag di",
    "wednesday": "wed weds mittwoch mi",
    "thursday": "thu thur thurs donnerstag do",
    "friday": "fri freitag fr",
    "saturday": "sat samstag sonnabend sa weekend wochenende",
    "sunday": "sun sonntag so",
    "january": "jan januar jänner",
    "february": "feb februar",
    "march": "mar märz maerz mär mrz",
    "april": "apr",
    "may": "mai",
    "june": "jun juni",
    "july": "jul juli",
    "august": "aug",
    "september": "sep sept",
    "october": "oct okt oktober",
    "november": "nov",
    "december": "dec dez dezember",
    "2": "two zwei",
    "3": "three drei",
    "4": "four vier",
    "5": "five fünf",
    "6": "six sechs",
    "7": "seven sieben",
    "8": "eight acht",
    "10": "ten zehn",
    "12": "twelve zwölf",
    "14": "fourteen vierzehn",
}
_ONE: Final = {word: meant for meant, words in _SAME.items() for word in words.split()}
_NAMES: Final = frozenset({*DAYS, *MONTHS})
_WORD: Final = re.compile(r"(?<![^\W_])([^\W\d_]+)(\.?)")
_PHRASES: Final = tuple(
    (re.compile(written), meant)
    for written, meant in (
        (r"\b(\d{1,2}(?:[:.]\d{2})?) ?([ap])\.?m\b\.?", r"\1\2m"),  # before the German "am" is read
        (r"\b(\d{1,2}) ?uhr (\d{2})\b", r"\1:\2"),
        (r"\b(\d{1,2}(?:[:.]\d{2})?) ?uhr\b", r"\1 o'clock"),
        (r"(?<![\d:.-])(\d{1,4})(?=[^\W\d_]{3})", r"\1 "),  # 3days
        (r"\b(?:business|work|working) days?\b", "workday"),
        (r"\b(?:by |the )*end of (?:the )?day\b|\beod\b|\bfeierabend\b", "today 17:00"),
        (r"\b(?:the )?day after tomorrow\b", "overmorrow"),
        (r"\b(\w+tag|mittwoch|heute) morgen\b", r"\1 morning"),
        (r"\b(?:half an hour|(?:einer )?halben? stunde)\b", "30m"),
        (
            r"\b(?:an?|one|eine?[nmr]?) (?=(?:minute|hour|day|week|month|workday|stunde|tag|woche|monat|werktag)\b)",
            "1 ",
        ),
        (r"\b(?:the )?end of (?:the )?month\b|\bmonatsende\b|\bende des monats\b", "monthend"),
        (r"\bthis (?=morning|afternoon)", "today "),
        (r"\b(?:this evening|heute abend)\b", "tonight"),
    )
)


def plain(words: str) -> str:
    """Return the time that `words`, in small letters and with single spaces, name as `when` knows it."""
    for written, meant in _PHRASES:
        words = written.sub(meant, words)
    return _WORD.sub(_one, words)


def _one(found: re.Match[str]) -> str:
    meant = _ONE.get(found[1], found[1])
    return meant if meant in _NAMES else meant + found[2]
