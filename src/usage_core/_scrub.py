"""Take what is personal or confidential out of an error message, and leave what helps its author.

It knows shapes, not meanings: in doubt it takes out too much, and some secrets look like words.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["scrub"]

_LONGEST = 300
_READ = 4000


def scrub(message: str, *, home: str | None = None, user: str | None = None) -> str:
    """Return *message* on one line of at most 300 characters, private parts as `<placeholders>`.

    *home* and *user* are this process's home folder and login name unless given. Only the first
    4,000 characters are read. Takes any string, raises nothing, and returns unchanged what it
    has returned before.
    """
    home = os.path.expanduser("~") if home is None else home
    user = _login_name() if user is None else user
    names = {name.lower() for name in (user, re.split(r"[\\/]", home.rstrip("\\/"))[-1])}
    text = _beginning(message)
    for _ in range(5):
        before, text = text, _scrub_once(text, home, names)
        if text == before:
            return text
    return "<message>"  # each pass uncovers something new: nobody writes that by accident


def _scrub_once(text: str, home: str, names: set[str]) -> str:
    text = _abbreviate_home(_printable(text), home)
    lowered = text.lower()
    for signs, pattern, replacement in _RULES:
        if any(sign in lowered for sign in signs):
            text = re.sub(pattern, replacement, text)
    text = " ".join(_replace_names(text, names).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def _beginning(message: str) -> str:
    if len(message) <= _READ:
        return message
    words = message[:_READ].rsplit(None, 1)
    return words[0] if words else ""  # without the last one: half a key looks harmless


def _printable(text: str) -> str:
    """Return *text* without escape sequences, invisible characters and lone surrogates."""
    if text.isprintable():
        return text
    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -~]?)", "", text)
    seen = (c for c in text if c not in "\xad\u200b\u200c\u200d\u2060\ufeff")
    return "".join(c if c == "\n" or c.isprintable() else " " for c in seen)


# The person

# Names of roles and machines, not of people, and the words of our own placeholders.
_NOBODY = (
    "admin administrator app build code connection default dev docker email guest home key "
    "local mac message nobody path query root runner secret test ubuntu url user users vagrant"
)


def _login_name() -> str:
    names = (os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME"))
    return next((name for name in names if name), "")


def _replace_names(text: str, names: set[str]) -> str:
    for name in sorted(names):
        if len(name) > 2 and name not in _NOBODY.split() and name in text.lower():
            text = re.sub(rf"(?i)(?<![^\W_]){re.escape(name)}(?![^\W_])", "<user>", text)
    return text


def _abbreviate_home(text: str, home: str) -> str:
    """Return *text* with `~` for *home*, whatever slashes either is written with."""
    parts = [part for part in re.split(r"[\\/]+", home) if part]
    if len(parts) < 2 or parts[-1].lower() not in text.lower():
        return text
    root = r"(?:(?<![:/\\])[\\/]+|(?<=:)/|(?<=://)/)" if home[0] in "\\/" else r"(?<!\w)"
    folders = r"[\\/]+".join(map(re.escape, parts))
    return re.sub(rf"(?i){root}{folders}(?![\w-])", "~", text)


# URLs and paths


def _route(path: str) -> str:
    """Return what of an absolute path names an API and not someone's data: `/v1/tools/<path>`."""
    if "?" in path:
        return f"{_route(path[: path.index('?')])}?<query>"
    parts = [part for part in path.split("/") if part]
    versions = 0
    for part in parts[:2]:
        versions += bool(re.fullmatch(r"api|v\d[a-z0-9]{0,7}", part))
    kept = versions + bool(parts[versions:] and re.fullmatch("[a-z][a-z_-]{0,30}", parts[versions]))
    if len(parts) <= kept:
        return path
    return "".join(f"/{part}" for part in parts[: kept if versions else 0]) + "/<path>"


def _url(match: re.Match[str]) -> str:
    scheme = match["scheme"]
    if scheme is None:
        return "<url>"
    if scheme.lower() == "file":
        return "<path>"
    credentials, _, host = match["authority"].rpartition("@")
    port = host.rpartition(":")[2] if ":" in host else ""
    torn = "@" in match["path"] or not (port.isdecimal() or port.endswith("]") or ":" not in host)
    if torn or scheme.lower() not in ("http", "https", "ws", "wss"):
        return f"{scheme}://<url>"
    query = f"{match['query'][0]}<query>" if match["query"] else ""
    return f"{scheme}://{'<secret>@' if credentials else ''}{host}{_route(match['path'])}{query}"


_URL = (
    r"(?i)(?<![a-z0-9+.-])(?:(?P<scheme>[a-z][a-z0-9+.-]{1,30})://(?=[^\s'\"`<>|])"
    r"(?P<authority>[^\s'\"`<>|/?#]*(?<![.,;:!)}]))(?P<path>[^\s'\"`<>|?#]*(?<![.,;:!)}]))"
    r"(?P<query>[?#][^\s'\"`<>|]+)?"
    r"|(?:arn:[\w-]+|jdbc:\w+):[^\s'\"`<>/][^\s'\"`<>]*"
    r"|[\w.-]{1,40}@[\w.-]+:[\w.~-]*/[^\s'\"`<>]+)"  # a repository over ssh
)


def _path(match: re.Match[str]) -> str:
    path = match["quoted"] or match[0].rstrip(".!)]}")
    around = match["quote"] or "", match[0][len(path) :] if not match["quoted"] else ""
    if path.startswith("\\\\") and "\\" not in path.lstrip("\\"):  # an escape, not a share
        return match[0]
    short = _route(path) if path[0] == "/" else "<path>"
    return "<path>".join(around) if short == "/<path>" else short.join(around)


_ENDS = r"\s'\"`<>|?*:;,"
_START = (
    r"(?:~[\w.-]*[\\/]|(?<!\w)[A-Za-z]:[\\/]|(?<![\w.\\/>])\.{1,2}[\\/]|(?<![\w\\])\\\\+(?=[\w?.])"
    r"|(?<![\w.:/\\<>)}\]])/|(?<=:)/(?!/)|(?<=-[IL])/)"
)
# After a space a path goes on if a slash or a file's name follows soon: /Users/anna/My Files/x.
_SPACED = (
    r"(?:(?<!\.\w\w)(?<!\.\w\w\w)(?<!\.\w\w\w\w) (?:[\w()&+-]+ ){0,2}"
    rf"(?:[\w()&+.-]*[\w)][\\/][^{_ENDS}]*|[\w()&+-]+\.[A-Za-z]\w{{1,4}}(?![\w./\\])))"
)
_PATH = (
    rf"(?P<quote>[\"'`])(?P<quoted>{_START}(?:(?!(?P=quote))[^\n<>])+)(?=(?P=quote))"
    rf"|{_START}[^{_ENDS}]+(?:\?[\w%.~&=+-]+|{_SPACED}*)"
)


# Secrets and addresses

_SECRET_NAMES = ("pass", "pwd", "secret", "token", "key", "auth", "session", "sig", "credential")
_EXCUSED = (
    r"(?!(?:missing|required|invalid|expired|none|null|true|false|empty|unset|denied|rejected|revoked"
    r"|unknown|failed|not)\b)"
)
_PROSE = r"(?!(?!bearer|basic|token|apikey|digest)[a-z]+,? [a-z(])"
_VERBS = (
    "(?:(?:require|need|take|expect)s?|must|may|is|was|has|does|did|cannot|and|or|to|in|for|with)"
)
_PAIR = (
    r"(?i)((--?[\w-]{0,30})?(?:pass(?:word|wd|phrase|code)|(?<![a-z])pass(?![a-z])|pwd|secret(?!s\b)"
    r"|(?<!expected )token(?!s|iz)|signature|(?<![a-z])sig(?![a-z])|credential|authorization"
    r"|session(?:_?id)?|(?:api|access|account|private|shared|sign\w{1,3}|encryption|master|auth"
    r"|license|subscription|storage)[ _-]?key|_auth)[\w.-]{0,30}[\\\"'`\]]{0,3}"
    rf"(?:\s?(?::=|[:=])(?![\s>])|\s?(?:=>|:=|[:=])\s{{1,3}}{_EXCUSED}{_PROSE}"
    rf"|(?(2)\ {{1,3}}(?!-|{_VERBS}\b)|(?!))))"
    r"(?:(?:bearer|basic|token|apikey)\s+[^\s\"']+|digest\s[^\n]+|\\\"[^\"\\]*(?:\\\")?"
    r"|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[^\s\"']+)"
)
_USER = (
    r"(?i)\b((?:user(?:[ _-]?(?:name|id))?|login|uid)"
    rf"(?:[\"']?\s?[:=](?:[\"']|(?!\s)|\s{_PROSE})|\s(?=[\"']))[\"']?){_EXCUSED}"
    r"(?:(?<=[\"'])[^\"'<>\n]+|[^\s\"',;&)<>]+)"
)
_VALUE = r"(?:'[^']{0,200}'|[^\s;'\"]{0,200})"
_CONNECTION = (
    r"(?i)\b(?:server|data source|host|hostaddr|addr|address|dbname|database|user|user id|uid"
    rf"|driver|defaultendpointsprotocol|endpoint|accountname)={_VALUE}"
    rf"(?:(?:;\s?[a-z][\w ]{{0,30}}|\s[a-z]\w{{0,30}})={_VALUE})+;?"
)


def _address(match: re.Match[str]) -> str:
    """Return a placeholder for an IP or hardware address that is not this machine's own."""
    found = match[0]
    if "." in found and ":" not in found:
        octets = [int(octet) for octet in found.split(".")]
        return found if max(octets) > 255 or octets[0] in (0, 127) else "<ip>"
    groups = found.split(":")
    if len(groups) > 5 and all(len(group) == 2 for group in groups):
        return "<mac>"
    whole = len(groups) == 8 or ("::" in found and len(groups) < 10)
    if not whole or found == "::1" or not any(c.isdigit() for c in found):
        return found
    return "<ip>"


_ADDRESS = (
    r"(?<![\w.])(?<!version )\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"
    r"|(?<![\w:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,37}(?:(?:\.\d{1,3}){3})?(?:%\w+)?(?![\w:])"
)

_VENDORS = (
    "sk- sk_ pk_ rk_ whsec_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glsa_ xoxa- "
    "xoxb- xoxe- xoxp- xoxr- xoxs- xapp- AKIA ASIA AIza ya29. eyJ npm_ pypi- dop_v1_ doo_v1_ "
    "hf_ SG. shpat_ shpss_ sq0atp- lin_api_ ntn_ secret_ phc_ phx_ tvly- gsk_ xai- r8_ pplx- "
    "dckr_pat_ dapi hvs. CFPAT- figd_ NRAK- sntrys_ sbp_ PMAK- arc_ tskey- AGE-SECRET-KEY- "
    "rubygems_ nvapi- pat_"
)


def _token(match: re.Match[str]) -> str:
    run = match[0]
    if re.fullmatch(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|\d{12,}", run):
        return "<id>"
    return "<secret>" if any(map(_looks_random, (run, *re.split(r"[./]", run)))) else run


def _looks_random(word: str) -> bool:
    """Tell whether *word* was drawn and not written: it changes between kinds of characters."""
    bare = "".join(c for c in word if c.isalnum())
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in bare]
    changes = sum(map(str.__ne__, kinds, kinds[1:]))
    digits = kinds.count("d")
    if word.startswith(tuple(_VENDORS.split())):
        longest = max(map(len, re.split(r"[_.-]", word)))
        return longest >= (10 if digits else 16) or (len(bare) >= 16 and changes > 4)
    if len(bare) < 20 or not changes:
        return False
    if re.search(r"[0-9a-f]{32}|[0-9A-F]{32}|^(?:[0-9a-f]+|[0-9A-F]+)$", bare):
        return True
    # CamelCase changes often too, but seldom with digits in it.
    return changes > (0.4 if digits < 2 else 0.3 if digits < 5 else 0.24) * len(bare)


# Each rule: it is tried if one of the signs is in the lower-cased text, so that an ordinary
# message compiles next to nothing. The order matters: what is left of a URL must not be a path.
_RULES: tuple[tuple[tuple[str, ...], str, str | Callable[[re.Match[str]], str]], ...] = (
    (("traceback (most",), r"(Traceback) \(most recent call last\):(?:\n[ \t|+][^\n]*)+", r"\1:"),
    (
        ("-----begin",),
        r"-----BEGIN [^-\n]{1,40}-----(?s:.*?)(?:-----END [^-]{1,40}-----|\Z)",
        "<key>",
    ),
    (("://", "arn:", "jdbc:", "@"), _URL, _url),
    (("=",), _CONNECTION, "<connection>"),
    (("cookie",), r"(?i)(cookie[\"']?\s?[:=])\s?[\"']?[^\s\"'=]+=[^\n\"']+", r"\1 <secret>"),
    (_SECRET_NAMES, _PAIR, r"\1<secret>"),
    (
        ("bearer ", "basic "),
        r"\b([Bb]earer|BEARER|[Bb]asic)\s+(?=\S*\d|\S*=|\S*[a-z][A-Z])[^\s\"',<]{8,}",
        r"\1 <secret>",
    ),
    (("/", "\\"), _PATH, _path),
    (("user", "login", "uid"), _USER, r"\1<user>"),
    (
        ("@", "%40"),
        r"(?<![\w.+%-])[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,24}",
        "<email>",
    ),
    ((".", ":"), _ADDRESS, _address),
    (("",), r"[A-Za-z0-9_+/.~-]{12,}={0,2}", _token),
)
