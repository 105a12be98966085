"""Texts for testing a stage: ordinary ones of all lengths, and odd ones as real collections have."""

from __future__ import annotations

# Different lengths, several sentences, and empty texts in the middle of a batch.
VARIED = (
    "Mara Lind lives in Oslo.",
    "",
    "Halvor drank cold tea. Snow fell on Quito in June! Did Acorn Rail open a station there?",
    "ok",
    "   ",
    "On Tuesday the bakery in Turin, run by Nadia Brook since 1998, sold 1,250 loaves of warm bread "
    "to travellers whose trains were late; nobody complained, although it rained all day.",
    "Line one\nline two\n\n\tline three, by J. R. Tolland-Reyes",
    "Lima",
    "It cost €3.50 (or £2.99) at www.example.org/shop?id=7, they said: 'too much'.",
)

LONG_WORDS = 20_000
LONG_TOKEN_CHARACTERS = 100_000


def odd_texts() -> dict[str, str]:
    """Return odd texts, by a name for what is odd about each.

    Example:
        odd_texts()["empty"]  # ""
    """
    return {
        "empty": "",
        "one blank": " ",
        "white space alone": " \t\n\r\n   \u00a0\u2003\u3000 ",
        "20,000 words": _long(LONG_WORDS),
        "20,000 words in one sentence": "word " * LONG_WORDS,
        "a token of 100,000 characters": "a" * LONG_TOKEN_CHARACTERS,
        "emoji joined and tinted": "👩\u200d👧\u200d👦 said 👍🏽 to 🏳\ufe0f\u200d🌈 and 🇳🇴🇵🇪!",
        "right to left": "גרה מרים בחיפה. تسكن مريم في تونس، أليس كذلك؟ \u202eabc\u202c",
        "combining characters": "E\u0301mile, cafe\u0301, Z\u0351\u036b\u0343a\u0334l\u0335g\u0336o",
        "control characters": "a\x00b \x07 \x1b[31mred\x1b[0m \x7f \x85 end",
        "lone variation selectors": "\ufe0f \ufe0e word\ufe0f \U000e0100 \u200d \u200b",
        "Chinese": "林小姐上星期在上海买了一本旧书。她很喜欢，你呢？",
        "private use and unassigned": "\ue000 \U0010fffd \u0378 \ufffd \ufeff",
        "line breaks alone": "\n" * 50,
        "punctuation alone": "... !!! ??? --- (((  )))",
    }


def _long(words: int) -> str:
    sentence = "The bakery in Turin sells warm bread to nine others, who walk home with it. "
    return sentence * (words // len(sentence.split()) + 1)
