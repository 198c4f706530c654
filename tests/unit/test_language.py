"""The language of a mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message import language
from maild.message.language import detect, guess
from tests.unit.reading import mail

MANY = (
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt-BR",
    "nl",
    "sv",
    "da",
    "nb",
    "fi",
    "et",
    "pl",
    "cs",
    "hu",
    "tr",
    "ru",
    "uk",
    "ja",
    "zh",
    "ar",
    "el",
)

SENTENCES = [
    ("en", "My order has not arrived yet and I would like to know where it is."),
    ("de", "Meine Bestellung ist noch nicht angekommen, können Sie bitte nachsehen?"),
    ("fr", "Ma commande n'est pas encore arrivée, pouvez-vous vérifier ?"),
    ("es", "Mi pedido todavía no ha llegado, ¿pueden comprobarlo por favor?"),
    ("it", "Il mio ordine non è ancora arrivato, potete controllare?"),
    ("pt", "O meu pedido ainda não chegou, podem verificar por favor?"),
    ("nl", "Mijn bestelling is nog niet aangekomen, kunt u dat nakijken?"),
    ("sv", "Min beställning har inte kommit fram än, kan ni kontrollera det?"),
    ("da", "Min ordre er endnu ikke kommet frem, kan I hjælpe mig med det?"),
    ("nb", "Bestillingen min har ikke kommet frem ennå, kan dere sjekke det?"),
    ("fi", "Tilaukseni ei ole vielä saapunut, voitteko tarkistaa asian?"),
    ("et", "Minu tellimus ei ole veel kohale jõudnud, kas saaksite seda vaadata?"),
    ("pl", "Moje zamówienie jeszcze nie dotarło, czy mogą państwo to sprawdzić?"),
    ("cs", "Moje objednávka ještě nedorazila, můžete to prosím zkontrolovat?"),
    ("hu", "A rendelésem még nem érkezett meg, meg tudnák nézni?"),
    ("tr", "Siparişim henüz gelmedi, lütfen kontrol eder misiniz?"),
    ("ru", "Мой заказ ещё не пришёл, проверьте, пожалуйста."),
    ("uk", "Моє замовлення ще не прийшло, перевірте, будь ласка."),
    ("el", "Η παραγγελία μου δεν έφτασε."),
    ("ja", "注文した商品がまだ届きません。"),
    ("zh", "我的订单还没有到。"),
    ("ko", "주문한 상품이 아직 도착하지 않았습니다."),
    ("ar", "لم يصل طلبي بعد."),
    ("he", "ההזמנה שלי עדיין לא הגיעה."),
]


@pytest.mark.parametrize(("expected", "text"), SENTENCES)
def test_a_sentence_tells_its_language(expected: str, text: str) -> None:
    assert guess(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "OK, thx",
        "+1",
        "AB-4711 / 12345",
        "https://acme.example/the/and/is",
        "Anna Schmidt",
        "!!!",
        "Invoice 17",
    ],
)
def test_what_does_not_tell_its_language_is_not_guessed(text: str) -> None:
    assert guess(text) is None


def test_the_declared_language_counts_first() -> None:
    assert detect(mail("x", content_language="de-AT"), "My order has not arrived yet.", MANY) == "de"


@pytest.mark.parametrize("declared", ["", "xx", "en, de", "de; en", "klingon"])
def test_a_declaration_that_names_no_single_language_asked_for_does_not_count(declared: str) -> None:
    text = dict(SENTENCES)["fr"]

    assert detect(mail("x", content_language=declared), text, MANY) == "fr"


def test_only_languages_asked_for_are_named() -> None:
    dutch = dict(SENTENCES)["nl"]

    assert detect(mail("x"), dutch, ("en", "de")) is None
    assert detect(mail("x"), dutch, ("en", "nl")) == "nl"


def test_a_language_with_a_region_is_named_as_it_was_asked_for() -> None:
    portuguese = dict(SENTENCES)["pt"]

    assert detect(mail("x"), portuguese, ("en", "pt-BR")) == "pt-BR"
    assert detect(mail("x"), portuguese, ("pt-PT", "pt-BR")) is None
    assert detect(mail("x", content_language="pt-PT"), "", ("pt-PT", "pt-BR")) == "pt-PT"


def test_norwegian_has_several_names() -> None:
    assert detect(mail("x", content_language="no"), "", ("nb", "en")) == "nb"


@given(st.text(max_size=200))
def test_any_text_has_a_language_or_none(text: str) -> None:
    assert detect(mail("x"), text, MANY) in (*MANY, None)


@given(st.text(st.sampled_from("aBz' @.\n<>:/09_-"), max_size=200))
def test_words_of_ascii_are_found_as_in_any_text(text: str) -> None:
    assert language._ascii_words(text) == set(language._WORDS.findall(text))
