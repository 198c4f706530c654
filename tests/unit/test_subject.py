"""The base of a subject is what its writer wrote, without what clients and gateways put before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.subject import base_subject, tags


@pytest.mark.parametrize(
    "subject",
    [
        "Printer on fire",
        "Re: Printer on fire",
        "RE: re: Re: Printer on fire",
        "AW: SV: Odp: Vá: Printer on fire",
        "回复：Printer on fire",
        "回复: 答复: Printer on fire",
        "Re[2]: Printer on fire",
        "Re (3): Printer on fire",
        "Re^4: Printer on fire",
        "Re : Printer on fire",
        "R: RV: TR: Antw: Ynt: VS: Printer on fire",
        "İLT: YNT: Printer on fire",
        "Отв: На: Printer on fire",
        "ΑΠ: Σχετ: Printer on fire",
        "השב: Printer on fire",
        "رد: Printer on fire",
        "Fwd: WG: Fw: Printer on fire",
        "[External] Re: Printer on fire",
        "Re: [EXT] Printer on fire",
        "[EXTERN]: AW: Printer on fire",
        "*** SPAM *** Re: Printer on fire",
        "[EXTERNAL EMAIL] Printer on fire",
        "External: Printer on fire",
        "[#1042] Printer on fire",
        "Re: [#1042] Re: Printer on fire",
        "Re: Printer on fire [#1042]",
        "Re:Printer   on\tfire",
    ],
)
def test_prefixes_warnings_and_tags_are_taken_off(subject: str) -> None:
    assert base_subject(subject) == "Printer on fire"


@pytest.mark.parametrize(
    "subject",
    [
        "Invoice: 12",
        "Regarding: the printer",
        "Rental: 3 days",
        "[urgent] Printer",
        "[users] Printer",
        "Reprint: page 2",
        "re printer",
        "Ref: 4711",
        "FS: bicycle for sale",
        "Printer: Re: on fire",
        "Externals: a list",
        "",
        "12:30 lunch",
        "[#] [#x] [#0] [12] #12",
    ],
)
def test_the_writers_own_words_stay(subject: str) -> None:
    assert base_subject(subject) == subject


def test_a_subject_of_nothing_but_prefixes_has_no_base() -> None:
    assert base_subject("Re: Fwd: [#12]") == ""


def test_tags_are_read_in_order_each_once() -> None:
    assert tags("[#12] Re: [ #7 ] 【＃9】 [#12] [#012] [#0] (#3) #4") == (12, 7, 9)
    assert tags("[#" + "9" * 30 + "]") == ()
    assert len(tags(" ".join(f"[#{number}]" for number in range(1, 1000)))) == 20


@given(
    st.text() | st.lists(st.sampled_from(["Re", ":", " ", "[", "]", "2", "AW: ", "[External] ", "#", "x"])).map("".join)
)
def test_taking_off_prefixes_twice_changes_nothing(subject: str) -> None:
    base = base_subject(subject)

    assert base_subject(base) == base or tags(subject)
    assert base_subject("Re: " + base) == base_subject(base)
    tags(subject)
