"""Notes that somebody is away, told from people who write about being away.

Many programs mark such notes in no header. A note without a mark is believed only on two grounds: a subject
with which programs begin ("Automatic reply: ..."), or a subject that says "absent" above a text in which the
author says so of himself. A person who asks how to set one up, or writes "out of office" in a sentence, is neither.
"""

import re
from collections.abc import Collection
from typing import Final

from maild.message.parse import Message
from maild.message.subject import base_subject

_TEXT_CHARACTERS: Final = 1_500  # a longer text is no note
_AUTOMATIC = (
    "automatic reply|automatic response|automated reply|automated response|auto reply|auto-reply|autoreply|"
    "auto response|auto-response|autoresponse|auto responder|autoresponder|auto respond|autorespons|"
    "out of office autoreply|out of office auto reply|out of office auto-reply|automatische antwort|"
    "automatische antwoord|automatisch antwoord|autoantwort|automatische rückantwort|réponse automatique|"
    "reponse automatique|respuesta automática|respuesta automatica|resposta automática|resposta automatica|"
    "risposta automatica|automatiskt svar|autosvar|automatisk svar|automaattinen vastaus|autom. vastaus|"
    "odpowiedź automatyczna|automatyczna odpowiedź|autoodpowiedź|automatická odpověď|automatická odpoveď|"
    "автоматический ответ|автоответ|автоматична відповідь|автовідповідь|автоматичен отговор|"
    "automatikus válasz|răspuns automat|raspuns automat|αυτόματη απάντηση|otomatik yanıt|otomatik cevap|"
    "自动回复|自動回覆|自動回复|自動返信|自動応答|자동 회신|자동 응답|자동응답|رد تلقائي|الرد التلقائي|"
    "תשובה אוטומטית|מענה אוטומטי|ตอบกลับอัตโนมัติ|trả lời tự động|balasan otomatis|automaatvastus|"
    "automaatne vastus|automātiskā atbilde|automatinis atsakymas|automatski odgovor|samodejni odgovor|"
    "resposta automàtica"
)
_ABSENT = (
    "out of office|out of the office|ooo|away from office|away from the office|away from my mail|"
    "away until|on vacation|on holiday|on leave|vacation notice|vacation reply|abwesenheitsnotiz|"
    "abwesenheit|abwesend|abwesenheitsmeldung|abwesenheitsbenachrichtigung|abwesenheitsassistent|"
    "bin nicht im büro|urlaub|absence du bureau|absent du bureau|absence|message d'absence|absent|en congé|"
    "fuera de la oficina|fuera de oficina|ausente de la oficina|ausencia|de vacaciones|fora do escritório|"
    "ausência|ausência temporária|fuori sede|fuori ufficio|assenza|assenza dall'ufficio|assente|afwezig|"
    "afwezigheid|afwezigheidsbericht|niet aanwezig|frånvaro|frånvarande|ej på kontoret|ikke på kontoret|"
    "fravær|fraværende|ikke til stede|poissa|poissa toimistosta|lomalla|poza biurem|nieobecność|nieobecny|"
    "mimo kancelář|nepřítomnost|nepřítomen|nisem v pisarni|odsoten|вне офиса|отсутствие на рабочем месте|"
    "отсутствие|в отпуске|поза офісом|házon kívül|távollét|szabadság|εκτός γραφείου|ofis dışında|ofis dışı|"
    "不在办公室|外出|休暇|不在通知|부재중|부재 중|kontorist väljas|puhkusel|eemal|prombūtnē|nėra biure|"
    "izvan ureda|en vacances|puhkus"
)
_OF_HIMSELF = (
    "i am out|i'm out|i’m out|i will be out|i'll be out|i am away|i'm away|i will be away|i am currently|"
    "i'm currently|i am on|i'm on|i will be on|i am not in|i am presently|i will be traveling|"
    "i will be travelling|i have limited|will have limited|i will return|i will be back|am out of office|"
    "currently out of|currently away|ich bin|bin ich|ich befinde mich|je suis|je serai|j'ai quitté|"
    "actuellement absent|estoy fuera|estaré|me encuentro|no estaré|estou fora|estarei|encontro-me|"
    "sono assente|sono fuori|sarò|non sono in|ik ben|ben ik|jag är|är jag|jeg er|er jeg|olen lomalla|"
    "olen poissa|jestem nieobecn|nie ma mnie|będę nieobecn|jsem mimo|nejsem|budu mimo|я в отпуске|"
    "буду отсутствовать|меня не будет|я буду|нахожусь в|перебуваю|nem vagyok|szabadságon|sunt plecat|"
    "nu sunt|είμαι εκτός|απουσιάζω|ofiste değilim|izindeyim|我在休假|我正在|我不在|休暇を|不在に|부재중|"
    "휴가|viibin|olen puhkusel|olen eemal|esmu prombūtnē|ne esu|nisam|nisem|odsoten|odsotna|"
    "away from the office|out of the office"
)
_AUTOMATIC_SUBJECT: Final = re.compile(rf"\W{{0,6}}(?:{_AUTOMATIC})(?:\s{{0,2}}[:：\-–|\]]|\s{{0,2}}$)", re.IGNORECASE)
_AUTOMATIC_WORDS: Final = re.compile(rf"(?:{_AUTOMATIC})", re.IGNORECASE)
_ABSENT_SUBJECT: Final = re.compile(rf"\W{{0,6}}(?:{_ABSENT})(?!\w)", re.IGNORECASE)
_ABSENT_WORDS: Final = re.compile(rf"(?<!\w)(?:{_ABSENT})(?!\w)", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"^(?:\s?\[[^\[\]]{1,40}\])+\s?")
_AWAY_SUBJECT: Final = re.compile(r"\W{0,6}(?:away|vacation|holiday|i am away|i'm away)(?!\w)", re.IGNORECASE)
_SPOKEN: Final = re.compile(rf"(?<!\w)(?:{_OF_HIMSELF})", re.IGNORECASE)


def unmarked(message: Message) -> str:
    """Return why `message`, which carries no mark of a machine, is a note of absence; "" if it is none."""
    subject = _BRACKETS.sub("", base_subject(message.subject[:200]))
    if _AUTOMATIC_SUBJECT.match(subject):
        return "subject begins like an automatic reply"
    match = _ABSENT_SUBJECT.match(subject)
    if match is None or subject.endswith("?"):
        return ""
    if _AUTOMATIC_WORDS.search(subject):
        return "subject says that it is an automatic reply"
    text = message.text[: _TEXT_CHARACTERS + 1]
    if len(text) > _TEXT_CHARACTERS or not _SPOKEN.search(text):
        return ""
    if subject[match.end() :].strip() and not _answers(message):  # "Out of office supplies", "Vacation planner"
        return ""
    return "subject and text say that the author is away"


def marked(message: Message) -> bool:
    """Tell whether a mail that is known to be a machine's is a note of absence."""
    subject = _BRACKETS.sub("", base_subject(message.subject[:200]))
    if _AUTOMATIC_SUBJECT.match(subject) or _ABSENT_SUBJECT.match(subject) or _AWAY_SUBJECT.match(subject):
        return True
    text = message.text[: _TEXT_CHARACTERS + 1]
    return len(text) <= _TEXT_CHARACTERS and _SPOKEN.search(text) is not None and _ABSENT_WORDS.search(text) is not None


def said(text: str, names: Collection[str] = ()) -> bool:
    """Tell whether a text reads like its author's note that he is away, with no mark and no subject to go by.

    Many a person writes that he is out tomorrow: this is a ground for a question, and only where nothing is quoted and
    the time fits. Whoever is named in it, of `names`, is written to by a person.
    """
    text = text[: _TEXT_CHARACTERS + 1]
    if not text.strip() or len(text) > _TEXT_CHARACTERS:
        return False
    told = " ".join(text.split()).lower()
    if not any(hint in told for hint in _HINTS):  # of nearly all texts that is all: a tenth of what the patterns take
        return False
    words = set(_WORD.findall(text.casefold()))
    if any(part in words for name in names for part in _WORD.findall(name.casefold())):
        return False
    return any(_of_himself(sentence) for sentence in _SENTENCE_END.split(text))


def _of_himself(sentence: str) -> bool:
    """Tell whether its author says in a sentence that he, or his office, is away."""
    sentence = " ".join(sentence.split())
    if _CLOSED.search(sentence):
        return True
    return any(
        away.start() < spoken.end() or not _ANOTHER.search(sentence, spoken.end(), away.start())
        for spoken in _SPOKEN.finditer(sentence)
        if not (spoken.start() and spoken[0].casefold().endswith("the office"))  # "Mr Weber is out of the office"
        for away in _AWAY.finditer(sentence)
    )


_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_SENTENCE_END: Final = re.compile(r"(?<=[^\W\d_]{3})[.!?](?=\s)|[。！？]|\n\s*\n")
_AWAY: Final = re.compile(
    rf"(?<!\w)(?:{_ABSENT}|not in the office|not at work|not available|unavailable|away|annual leave|parental leave|"
    "maternity leave|sick leave|limited access|im urlaub|in urlaub|nicht im büro|nicht im hause|außer haus|"
    "nicht erreichbar|nicht zu erreichen|elternzeit|dienstreise|en déplacement|indisponible|fuera|fora|ferie|vacanza|"
    r"vacanze|vakantie|verlof|semester|ferien|lomalla|urlopie|dovolené|dovolenke|szabadságon|izinde|eemal)(?!\w)",
    re.IGNORECASE,
)
_CLOSED: Final = re.compile(
    r"(?<!\w)(?:our (?:office|offices|company) (?:is|are|will be) closed|we are closed|unser (?:büro|betrieb) ist "
    r".{0,60}geschlossen|wir haben .{0,60}betriebsferien|nos bureaux (?:sont|seront) fermés)(?!\w)",
    re.IGNORECASE,
)
_HINTS: Final = (*_OF_HIMSELF.split("|"), "closed", "geschlossen", "betriebsferien", "fermés")  # of _SPOKEN and _CLOSED
# Between "I am" and "away": the sentence has come to somebody else.
_ANOTHER: Final = re.compile(
    r"[;:,] ?(?:but|and|while|however|as|since|because|aber|und|doch|da|weil|mais|et|pero|porque|ma|maar|en|men|och|"
    r"my|our|your|the|he|she|mein|meine|unser|unsere|ihr|ihre|der|die|das|herr|frau|mr|mrs)(?!\w)|"
    r"(?<!\w)(?:colleague|technician|kollege|kollegin|techniker|he is|she is|they are)(?!\w)",
    re.IGNORECASE,
)


def _answers(message: Message) -> bool:
    return bool(message.in_reply_to or message.references)
