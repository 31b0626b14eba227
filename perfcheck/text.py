"""Foreign text made safe to show: no secrets, no control characters, no markup, one line, bounded."""

from __future__ import annotations

import binascii
import functools
import hashlib
import json
import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote

MASK = "***"
LONGEST_NAME = 200  # in files for machines
_HASH_MARK = " ~"
_HASH_DIGITS = 8
_SHORTEST_SECRET_FOUND_IN_TEXT = 4  # a shorter one would be found in every other word
_SHORTEST_SECRET_FOUND_IN_BASE64 = 6  # bytes; a shorter one leaves too few characters
_MOST_FORMS = 512  # of one source: some 64 secrets
_OCTAL = re.compile(r"\\(?:([0-3][0-7]{2})|(.))")
_IN_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_UNESCAPED = re.compile(r"[A-Za-z0-9]+")
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
    """Replaces secrets by ``***``, also in base64 and where they are escaped for a URL, JSON, HTML, a cookie or Python.

    Each character by itself: which ones are escaped, and in which case, differs between those who do it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: dict[str, str] = {}  # each with a part of it that is never escaped
        self._is_sorted = True
        self._sources: dict[str, str] = {}  # of the forms that are not kept for ever
        self._latest: dict[str, deque[str]] = {}  # those, by their source
        self.add(*secrets)

    def add(self, *secrets: str, source: str = "") -> None:
        """``source`` names what makes new ones again and again, such as a cookie: only its latest are kept."""
        for form in {form for secret in secrets for form in _forms(secret)}:
            if form in self._forms:
                if not source:
                    self._sources.pop(form, None)
                continue
            self._forms[form] = max(_UNESCAPED.findall(form), key=len, default="")
            self._is_sorted = False
            if source:
                self._sources[form] = source
                latest = self._latest.setdefault(source, deque())
                latest.append(form)
                if len(latest) > _MOST_FORMS and self._sources.pop(oldest := latest.popleft(), ""):
                    del self._forms[oldest]

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


def _forms(secret: str) -> Iterator[str]:
    """The texts that give it away: as it is, decoded, decoded wrongly, and in base64."""
    stripped = secret.strip()
    texts = {secret, stripped, unquote(stripped), _unquoted(stripped)}
    texts |= {text.encode(errors="replace").decode("latin-1") for text in texts}
    for text in texts:
        if len(text) >= _SHORTEST_SECRET_FOUND_IN_TEXT:
            yield text
            yield from _in_base64(text.encode(errors="replace"))


def _unquoted(cookie: str) -> str:
    """As Python's http.cookies, and what learnt from it, writes values that a cookie cannot have."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)) if match[1] else match[2], cookie.strip('"'))


def _in_base64(secret: bytes) -> Iterator[str]:
    """The characters that are the same whatever precedes and follows it in what was encoded (RFC 4648, section 4)."""
    if len(secret) < _SHORTEST_SECRET_FOUND_IN_BASE64:
        return
    for before in range(3):
        encoded = binascii.b2a_base64(bytes(before) + secret, newline=False).decode("ascii")
        fixed = encoded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
        yield from {fixed, fixed.replace("+", "-").replace("/", "_")}


@functools.lru_cache(maxsize=1024)
def _pattern_of(form: str) -> re.Pattern[str]:
    return re.compile("".join(map(_in_any_form, form)))


@functools.lru_cache(maxsize=1024)
def _in_any_form(char: str) -> str:
    """A pattern that finds a character as it is, and escaped."""
    if _UNESCAPED.fullmatch(char):
        return char
    code, in_utf8 = ord(char), char.encode(errors="replace")
    escaped = {quote(char, safe="", errors="replace"), json.dumps(char)[1:-1], repr(char)[1:-1], f"\\{char}"}
    escaped |= {quote(quote(char, safe="", errors="replace"), safe=""), json.dumps(json.dumps(char)[1:-1])[1:-1]}
    escaped |= {
        _IN_HTML.get(char, char),
        f"&#{code};",
        f"&#x{code:x};",
        f"\\u{code:04x}",
        f"\\x{code:02x}",
        f"\\{code:03o}",
    }
    escaped |= {
        "".join(form.format(byte) for byte in in_utf8) for form in ("\\{:03o}", "\\x{:02x}", "={:02x}", "%{:02x}")
    }
    escaped |= {"+"} if char == " " else set()
    escaped |= set() if char.isascii() else {"\ufffd"}  # it was decoded as something else
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
    short = clean(name, limit - len(_HASH_MARK) - _HASH_DIGITS).translate({ord(char): "_" for char in without})
    return f"{short or 'unnamed'}{_HASH_MARK}{short_hash(name)}"


def short_hash(name: str) -> str:
    """Digits that differ between two names, and are the same on every machine."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
