"""Foreign text made safe to show: no secrets, no control characters, no markup, one line, bounded."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
LONGEST_NAME = 200  # in files for machines
_HASH_MARK = " ~"
_HASH_DIGITS = 8
_SHORTEST_SECRET_FOUND_IN_TEXT = 4  # a shorter one would be found in every other word
_UNESCAPED = re.compile("[A-Za-z0-9]+")
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, limit: int = 200) -> str:
    """One line without control, format (bidirectional) or unassigned characters, at most ``limit`` long.

    Escape sequences lose their escape character, so that what is left of them is inert text.
    """
    shown = " ".join("".join(map(_shown, text[: 4 * limit])).split())
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _shown(char: str) -> str:
    if char in "\t\r\n":
        return " "
    return "" if unicodedata.category(char) in _HIDDEN_CATEGORIES else char


_LINK = re.compile(r"https?://[A-Za-z0-9:/?#@!$&*+,;=%._~-]+")


def is_link(text: str) -> bool:
    """Whether it is a web address that no format has to escape."""
    return bool(_LINK.fullmatch(text))


class Redactor:
    """Replaces the values of variables by ``***``, also where they are escaped for a URL, a form, JSON or Python.

    Each character by itself: which ones are escaped, and in which case, differs between those who do it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: dict[str, str] = {}  # each with a part of it that is never escaped
        self._is_sorted = True
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        found = {form for secret in secrets for form in (secret, secret.strip())}
        new = {form for form in found - self._forms.keys() if len(form) >= _SHORTEST_SECRET_FOUND_IN_TEXT}
        self._forms |= {form: max(_UNESCAPED.findall(form), key=len, default="") for form in new}
        self._is_sorted = self._is_sorted and not new

    def __call__(self, text: str) -> str:
        if not self._is_sorted:  # longest first: one may contain another
            self._forms = dict(sorted(self._forms.items(), key=lambda form: len(form[0]), reverse=True))
            self._is_sorted = True
        for form, part in self._forms.items():
            if part in text:  # which is much quicker than the pattern, where there are thousands
                text = _pattern_of(form).sub(MASK, text)
        return text

    def clean(self, text: str, limit: int = 200) -> str:
        """Redacted first, then cleaned: a cut must not leave half of a secret."""
        return clean(self(text), limit)


@functools.lru_cache(maxsize=1024)
def _pattern_of(form: str) -> re.Pattern[str]:
    return re.compile("".join(map(_in_any_form, form)))


def _in_any_form(char: str) -> str:
    """A pattern that finds a character as it is, and escaped."""
    if char.isascii() and char.isalnum():
        return char
    escaped = {quote(char, safe="", errors="replace"), json.dumps(char)[1:-1], repr(char)[1:-1], f"\\{char}"}
    escaped |= {"+"} if char == " " else set()
    return f"(?:{re.escape(char)}|(?i:{'|'.join(map(re.escape, sorted(escaped, key=len, reverse=True)))}))"


_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET_WORDS = {
    *("token", "secret", "password", "passwd", "passphrase", "pwd", "pw", "signature", "sig", "hmac", "auth"),
    *("authorization", "authentication", "credential", "credentials", "jwt", "bearer", "apikey", "accesskey"),
    *("session", "sessionid", "sid", "phpsessid", "jsessionid", "csrf", "xsrf", "otp", "cookie", "ticket", "assertion"),
}
_ENDINGS = ("token", "secret", "password", "apikey", "accesskey", "signature", "sessionid")  # of words run together
_OF_A_KEY = {"api", "access", "private", "secret", "auth", "subscription", "app", "license", "functions"}
_OF_A_PAGE = ("page", "next", "continuation", "cursor", "sync", "skip", "prev", "delta")


def sounds_secret(name: str, *, is_opaque: bool = False) -> bool:
    """Whether it is the name of a secret: of a parameter, a header, a field, a column.

    ``is_opaque``: its value looks like one, so that it is a ``key`` in that sense.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    together = "".join(words)
    if together.startswith(_OF_A_PAGE) and "token" in together:  # where the next page begins
        return False
    if _SECRET_WORDS.intersection(words) or together.endswith(_ENDINGS):
        return True
    return "key" in words and (is_opaque or bool(_OF_A_KEY.intersection(words)))


_ASSIGNMENT = r"\b\w*(?:token|secret|passw|pwd|key|credential|auth)\w*="
_PLAIN_VALUE = r"""(?!["']?\$)(?:'[^']*'|"[^"]*"|[^\s'"]+)"""  # not a variable of the shell
_CREDENTIAL = re.compile(rf"((?i:{_ASSIGNMENT}))(?:{_PLAIN_VALUE})|(://[^/\s:@'\"]*:)(?!\$)[^@\s/'\"]+(?=@)")


def without_credentials(command: str) -> str:
    """A shell command as it may be shown: the shell that it was typed in may have put secrets into it.

    Masks what is assigned to a name that sounds like one (``API_KEY=...``), and passwords in URLs.
    """
    return _CREDENTIAL.sub(lambda match: (match[1] or match[2]) + MASK, command)


def distinct_names(names: Iterable[str], limit: int = LONGEST_NAME, *, without: str = "") -> list[str]:
    """The names in their order, each cleaned to at most ``limit`` characters and different from all others.

    A name that has to change for that gets a short hash of the original: two names stay two, and one name stays the
    same from run to run whatever the other names are, so that a test tab or a chart keeps its history. ``without`` are
    further characters that the format cannot hold; they become ``_``. Only identical names are numbered.
    """
    shown: list[str] = []
    taken: set[str] = set()
    for name in names:
        safe = _named(name, limit, without)
        number, numbered = 2, safe
        while numbered in taken:
            numbered = f"{safe} ({number})"
            number += 1
        taken.add(numbered)
        shown.append(numbered)
    return shown


def _named(name: str, limit: int, without: str) -> str:
    safe = clean(name, limit)
    if safe == name and safe and not any(char in safe for char in without):
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    short = clean(name, limit - len(_HASH_MARK) - _HASH_DIGITS).translate({ord(char): "_" for char in without})
    return f"{short or 'unnamed'}{_HASH_MARK}{digest}"
