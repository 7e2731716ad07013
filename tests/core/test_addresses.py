"""One key for every way of writing one address, quickly, and nothing that cannot be written to."""

from __future__ import annotations

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broadcaster.core import addresses, phones
from broadcaster.core.addresses import Kind, mailbox_key, masked, normalise_email, normalise_opaque, normalise_phone
from broadcaster.core.errors import InvalidInput

TWIN = "a@xn--exmple-cua.fr"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Jean.Dupont@Example.FR", "jean.dupont@example.fr"),
        ("  ann@example.org\n", "ann@example.org"),
        ("ann@example.org.", "ann@example.org"),
        ("ann＠ｅｘａｍｐｌｅ.org", "ann@example.org"),
        ("\u200eann\u200b@example.org\ufeff", "ann@example.org"),
        ("A@Exämple.FR", TWIN),
        ("a@XN--EXMPLE-CUA.fr", TWIN),
        ("a@exa\u0308mple.fr.", TWIN),
        ("a@straße.de", "a@xn--strae-oqa.de"),
        ("é@example.fr", "é@example.fr"),
        ("o'neil+news_1@sub.example-shop.co.uk", "o'neil+news_1@sub.example-shop.co.uk"),
        ("a!b/c{d}@example.org", "a!b/c{d}@example.org"),
        ("ann@trial.test", "ann@trial.test"),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(text: str, expected: str) -> None:
    """Rows B15-B18 of the bad inputs: no second row for a twin."""
    assert normalise_email(text) == expected
    assert normalise_email(expected) == expected


@pytest.mark.parametrize(
    "text, code",
    [
        ("a@b.fr\r\nBcc: x@y", "control_character"),
        ("a@b.fr\x00", "control_character"),
        ("a\u2028@b.fr", "control_character"),
        ('"a b"@example.fr', "email_invalid"),
        ("a@b", "email_invalid"),
        ("a@b..fr", "email_invalid"),
        ("a@b.fr..", "email_invalid"),
        (".a@example.fr", "email_invalid"),
        ("a@-b.fr", "email_invalid"),
        ("a@[127.0.0.1]", "email_invalid"),
        ("a@host.local", "email_invalid"),
        ("a@xn--a.fr", "email_invalid"),
        ("\ud800@example.fr", "email_invalid"),
        ("a" * 65 + "@example.fr", "email_invalid"),
        ("a@" + ("b" * 60 + ".") * 4 + "example.fr", "email_invalid"),
        ("a@" + "b" * 64 + ".fr", "email_invalid"),
        ("é" * 33 + "@example.fr", "email_invalid"),
        ("x" * 100_000, "email_invalid"),
        ("", "email_invalid"),
    ],
)
def test_what_is_no_mailbox_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise_email(text)
    assert caught.value.code == code
    assert not text.strip() or text.strip() not in str(caught.value)


PARTS = st.text("aB9.-_+'é", min_size=1, max_size=12)


@settings(max_examples=1500, deadline=None)
@given(st.builds("{}@{}.{}".format, PARTS, PARTS, st.sampled_from(["fr", "org", "test", "onion", "1", "xn--p1ai"])))
def test_the_quick_road_for_mail_agrees_with_the_exact_one(text: str) -> None:
    """Speed must not change a single answer."""
    try:
        expected = addresses._exact_email(text)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            normalise_email(text)
        return
    assert normalise_email(text) == expected == normalise_email(expected)


@given(st.emails())
def test_what_the_library_takes_the_same_way_we_take(text: str) -> None:
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return
    assert normalise_email(text).lower() == normalise_email(text)


def test_gmail_spellings_share_a_refusal_and_others_do_not() -> None:
    """Dots and tags are folded only where the provider says they mean nothing."""
    assert mailbox_key("j.e.an+promo@googlemail.com") == mailbox_key("jean@gmail.com") == "jean@gmail.com"
    assert mailbox_key("j.e.an+promo@example.org") == "j.e.an+promo@example.org"
    assert mailbox_key("+x@gmail.com") == "+x@gmail.com"


FRENCH = "+33612345678"


@pytest.mark.parametrize(
    "text",
    [
        "+33 6 12 34 56 78",
        "0033612345678",
        "00 33 (0) 6 12 34 56 78",
        "+33(0)612345678",
        "(+33) 6 12 34 56 78",
        "06.12.34.56.78",
        "06-12-34-56-78",
        "06‑12–34−56 78",
        "06/12/34/56/78",
        "06\u00a012\u202f34 56 78",
        "\u200e+33\u200d612345678\u200f",
        "٠٦١٢٣٤٥٦٧٨",
        "＋３３６１２３４５６７８",
        "०६१२३४५६७८",
        "33612345678",
        "612345678",
    ],
)
def test_spellings_of_one_number_have_one_key(text: str) -> None:
    """Rows B15 and B16: three spellings must not be three people."""
    assert normalise_phone(text, region="FR") == FRENCH


@pytest.mark.parametrize(
    "text, region, expected",
    [
        ("+39 (0)6 12345678", None, "+390612345678"),  # Italy keeps its zero
        ("06 12345678", "IT", "+390612345678"),
        ("+34 (0) 612 34 56 78", None, "+34612345678"),  # a zero Spain never had
        ("0011 33 6 12 34 56 78", "AU", FRENCH),
        ("(201) 555-0123", "us", "+12015550123"),
        ("07400 123456", "GB", "+447400123456"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("0692 12 34 56", "RE", "+262692123456"),
    ],
)
def test_each_country_is_read_by_its_own_rules(text: str, region: str | None, expected: str) -> None:
    assert normalise_phone(text, region=region) == expected


@pytest.mark.parametrize(
    "text, code",
    [
        ("6.12E+08", "phone_scientific"),
        ("6,12345678e+8", "phone_scientific"),
        ("3.36E11", "phone_scientific"),
        ("612345678.0", "phone_scientific"),
        ("+999 12 34 56 78", "phone_invalid"),
        ("112", "phone_invalid"),
        ("+33 112", "phone_invalid"),
        ("123", "phone_invalid"),
        ("1" * 25, "phone_invalid"),
        ("0899 12 34 56", "phone_invalid"),
        ("+33 899 12 34 56", "phone_invalid"),
        ("06 12 34 56 7²", "phone_invalid"),
        ("06 12 34 56 7①", "phone_invalid"),
        ("0612345678 ext 4", "phone_invalid"),
        ("1-800-FLOWERS", "phone_invalid"),
        ("06 12+34 56 78", "phone_invalid"),
        ("0612345678/0712345678", "phone_invalid"),
        ("", "phone_invalid"),
        ("+", "phone_invalid"),
        ("1" * 100_000, "phone_invalid"),
        ("06 12\r\n34 56 78", "control_character"),
        ("06 12\t34 56 78", "control_character"),
    ],
)
def test_what_cannot_be_written_to_is_refused_by_name(text: str, code: str) -> None:
    """Rows B17, B19 and B30: emergency, premium and mangled numbers never reach a provider."""
    with pytest.raises(InvalidInput) as caught:
        normalise_phone(text, region="FR")
    assert caught.value.code == code


def test_a_national_number_needs_a_country() -> None:
    with pytest.raises(InvalidInput, match="country code"):
        normalise_phone("06 12 34 56 78", region=None)


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str | None]:
    """Draw a plausible or broken number of any region, written in one of three ways."""
    region = draw(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
    kind = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 9]))
    number = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    assert number is not None
    text = phonenumbers.format_number(number, draw(st.sampled_from([0, 1, 2])))
    cut = draw(st.integers(0, min(10, len(text))))
    tail = draw(st.text("0123456789", min_size=max(0, len(text) - cut - 1), max_size=len(text) - cut + 1))
    text = draw(st.sampled_from([text, text[:cut] + tail]))
    return text, draw(st.sampled_from([region, region, "FR", "US", "IT", None]))


@settings(max_examples=1500, deadline=None)
@given(written_numbers())
def test_the_quick_road_for_numbers_agrees_with_the_exact_one(written: tuple[str, str | None]) -> None:
    """Speed must not change a single answer, in any region."""
    text, region = written
    assert phones.canonical(text, region) == phones.canonical(text, region, quick=False)


def test_the_quick_road_is_taken_for_ordinary_numbers() -> None:
    """Without this the property above could hold of a road nobody takes."""
    mobiles = [phonenumbers.example_number_for_type(region, 1) for region in ("FR", "DE", "US", "GB", "IT", "JP", "IN")]
    for number in mobiles:
        assert number is not None
        e164 = phonenumbers.format_number(number, 0)
        assert phones._quick(e164, None) == e164


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    for kind in ("email", "phone", "opaque"):
        try:
            value = addresses.normalise(kind, text, region="FR")
        except InvalidInput:
            continue
        assert addresses.normalise(kind, value, region="FR") == value
        assert masked(kind, value).count("*") >= 3


@pytest.mark.parametrize(
    "e164, country, zone",
    [
        (FRENCH, "FR", "Europe/Paris"),
        ("+262692123456", "RE", "Indian/Reunion"),
        ("+590690123456", "GP", "America/Guadeloupe"),
        ("+12125550123", "US", "America/New_York"),
        ("+447400123456", "GB", "Europe/London"),
    ],
)
def test_a_number_tells_country_and_zones(e164: str, country: str, zone: str) -> None:
    found, zones = addresses.phone_facts(e164)
    assert found == country
    assert zone in zones


def test_a_number_without_a_country_tells_nothing() -> None:
    assert addresses.phone_facts("+80012345678") == (None, ())
    assert addresses.phone_facts("nonsense") == (None, ())


@settings(max_examples=300, deadline=None)
@given(written_numbers())
@example(("+88800000000000", "AE"))
def test_the_quick_facts_agree_with_the_library(written: tuple[str, str | None]) -> None:
    e164 = phones.canonical(*written)
    if e164:
        number = phonenumbers.parse(e164)
        country, zones = addresses.phone_facts(e164)
        of_library = phonenumbers.region_code_for_number(number)
        assert country == (None if of_library == "001" else of_library), "001 is the world, which is no country"
        assert zones == tuple(z for z in phonenumbers.timezone.time_zones_for_number(number) if z != "Etc/Unknown")


def test_an_opaque_id_keeps_its_case_and_its_pattern() -> None:
    assert normalise_opaque(" oABCdef-_9 ") == "oABCdef-_9"
    with pytest.raises(InvalidInput) as caught:
        normalise_opaque("a b")
    assert caught.value.code == "address_invalid"


@pytest.mark.parametrize(
    "kind, value, expected",
    [
        ("email", "ann@example.org", "a***@e***.org"),
        ("phone", FRENCH, "+33 6 ** ** ** 78"),
        ("opaque", "123456789", "***89"),
        ("opaque", "12345", "***"),
        ("email", "nonsense", "***"),
        ("phone", "nonsense", "***"),
    ],
)
def test_a_mask_shows_what_helps_and_no_more(kind: Kind, value: str, expected: str) -> None:
    assert masked(kind, value) == expected


def test_the_domain_of_an_address() -> None:
    assert addresses.email_domain(TWIN) == "xn--exmple-cua.fr"
