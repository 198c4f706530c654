"""Notes that somebody is away, without any mark: told from what people answer to customers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message import absence

NOTES = (
    "I am out of the office until Monday, March 9. For urgent matters write to bert@acme.example.",
    "Hello,\n\nthank you for your mail. I'm currently away from my desk and will be back on Monday.\n\nAnna",
    "Thank you for your message. I am on annual leave from 2 to 13 March with limited access to mail.",
    "Hi, I'm on vacation and will reply when I return.",
    "I will be out of office starting 03/02 and returning 03/09.",
    "Out of the office until Monday.",
    "Our office is closed until January 7. We wish you a happy new year.",
    "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Ich bin vom 1. bis 14. März 2026 nicht im Büro.\nAnna",
    "Ich bin bis einschließlich 9. März im Urlaub. Ihre Mail wird nicht weitergeleitet.",
    "Ich befinde mich derzeit in Elternzeit.",
    "Unser Büro ist bis zum 7. Januar geschlossen.",
    "Bonjour,\n\nje suis en congé jusqu'au 9 mars.",
    "Je suis absente du bureau, absent jusqu'à lundi.",
    "Estoy fuera de la oficina hasta el lunes.",
    "Ik ben tot maandag met vakantie.",
    "Sono assente fino a lunedì.",
    "Jag är på semester till måndag.",
    "Olen puhkusel kuni esmaspäevani, puhkus kestab nädala.",
    "Jestem nieobecny do poniedziałku, w razie potrzeby proszę pisać do Berta.",
)
ANSWERS = (
    "Yes, please send it back to us.\nAnna",
    "I'm on it.",
    "I'm currently looking into it and will come back to you.",
    "I will be back to you tomorrow.",
    "I am sorry for the delay. The technician is on vacation until Monday; Bert comes instead.",
    "I am sorry, but my colleague who knows this is on vacation until Monday.",
    "The technician is out of the office until Monday.",
    "Your contact is out of office, so I answer in his place.",
    "To set up an out of office note, open Settings and choose Automatic replies.",
    "The office is open from 9 to 17.",
    "We have ordered the part. It comes tomorrow.",
    "Your order is on leave-in conditioner? I am checking.",
    "Ich bin dran und melde mich.",
    "Ich bin bis 17 Uhr im Büro erreichbar.",
    "Ich bin dran, aber Herr Weber ist bis Montag im Urlaub.",
    "Vielen Dank für Ihre Nachricht. Bitte senden Sie uns ein Foto.",
    "Wir haben am Montag geschlossen? Nein, wir sind da.",
    "Je suis désolé, mais notre technicien est en congé.",
    "Bitte nennen Sie uns Ihre Abwesenheit, damit der Techniker nicht umsonst kommt.",
    "Please tell us when you are away, so that nobody comes in vain.",
    "ok",
    "",
)


@pytest.mark.parametrize("text", NOTES)
def test_a_note_of_absence_is_told_by_its_words(text: str) -> None:
    assert absence.said(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_what_agents_answer_is_no_note_of_absence(text: str) -> None:
    assert not absence.said(text)


@pytest.mark.parametrize("text", NOTES)
def test_what_greets_the_customer_by_his_name_was_written_by_a_person(text: str) -> None:
    assert not absence.said(f"Dear Ms Lovelace,\n\n{text}", ["Ada Lovelace"])


@given(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS))
def test_two_answers_in_one_are_no_note_of_absence(one: str, other: str) -> None:
    assert not absence.said(f"{one}\n\n{other}")


@given(st.text(max_size=3000))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    absence.said(text, ["Ada Lovelace"])
