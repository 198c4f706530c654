"""Subjects: what they are about, without what clients and gateways put before it, and the ticket tags in them.

    "[External] AW: Re[2]: [#1042] Printer on fire"  ->  base "Printer on fire", tags (1042,)

Reply and forward prefixes are those that mail clients write in the languages of the world, in any case, stacked,
counted (`Re[2]:`, `Re^3:`), with a space or a full-width colon. A word that is no such prefix (`Invoice: 12`) stays.
RFC 5256 2.1 calls the same thing the base subject; list tags (`[users]`) stay, unlike there: they may be the writer's.
"""

import re
from itertools import islice

MOST_TAGS = 20

# Each word is written by some mail client before the subject of an answer or of a forwarded mail.
_REPLIES = (
    "re|r|res|resp|rep|rép|rif|respuesta|resposta|réponse|risposta|aw|antw|antwort|sv|svar|vs|odp|odpověď|odpoveď|"
    "odg|odgovor|vá|válasz|răsp|răspuns|ynt|yanıt|ats|atb|bls|balas|tl|отв|ответ|на|відп|відповідь|απ|απάντηση|σχετ|"
    "השב|תשובה|رد|回复|回覆|答复|答覆|返信|답장|회신|ตอบ|ตอบกลับ"
)
_FORWARDS = (
    "fw|fwd|wg|vb|vl|rv|tr|enc|pd|i̇lt|ilt|doorst|tov|továbbítás|edasi|пересл|переслано|πρθ|προωθ|הועבר|إعادة توجيه|"
    "转发|轉寄|轉發|転送|전달"
)
_COUNT = r"(?:\s?[\[(（]\s?\d{1,4}\s?[\])）]|\s?[\^*]\s?\d{1,4}|\d{1,4})?"  # Re[2]: Re(2): Re^2: Re2:
_PREFIX = re.compile(rf"\s*(?:{_REPLIES}|{_FORWARDS}){_COUNT}\s?[:：﹕︰]", re.IGNORECASE)
# What gateways put before a subject to warn of mail from outside, or of spam.
_WARNING_WORDS = (
    r"ext(?:ern(?:al|e|o|a)?)?(?:[\s-]?(?:e-?mail|mail|sender|message))?:?|externe? e-mail|courriel externe|"
    r"(?:possible |suspected )?spam\??|внешн(?:ее|яя|ий)(?: письмо)?|外部(?:邮件|メール)?|zewnętrzny|extérieur"
)
_WARNING = re.compile(
    rf"\s*(?:[\[(<*{{【]{{1,3}}\s?(?:{_WARNING_WORDS})\s?[\])>*}}】]{{1,3}}:?|(?:external|ext|extern)\s?:)",
    re.IGNORECASE,
)
_TAG = re.compile(r"[\[［【]\s?[#＃]\s?([1-9][0-9]{0,14})\s?[\]］】]", re.ASCII)


def base_subject(subject: str) -> str:
    """Return `subject` without reply and forward prefixes, gateways' warnings and our tags; "" if nothing is left."""
    text = " ".join(_TAG.sub(" ", subject).split())
    at = 0
    while found := _PREFIX.match(text, at) or _WARNING.match(text, at):
        at = found.end()
    return text[at:].strip()


def tags(subject: str) -> tuple[int, ...]:
    """Return the tickets whose tags `[#1042]` stand in `subject`, in order, each once, at most `MOST_TAGS`."""
    return tuple(dict.fromkeys(int(found[1]) for found in islice(_TAG.finditer(subject), MOST_TAGS)))
