"""The page for `show --html`: one file to look at, without a script and without the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape

from usage_core.commands._chapters import Chapter, Fresh, Link, Part, persons, tell
from usage_core.commands._page_style import STYLE
from usage_core.commands._show import Entry, Shown
from usage_core.commands._status import Status

__all__ = ["page"]

COLOURS = 6


def page(now: Status, shown: Shown, at: datetime) -> str:
    """Return the page, as HTML, for what *shown* holds; *at* is when it is made."""
    title = f"What {now.app} recorded"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{_lead(now, shown)}</p>
<p class="quiet">Made at {_time(at)}. All times are in UTC. This page is a file on this machine; to
look at it asks nobody.</p>
</header>
<main>
{"".join(_overview(now, shown))}
{"".join(_timeline(shown))}
</main>
<footer>
<p>Stored in <code>{escape(_place(now))}</code> and the folder beside it. The command
<code>disable</code> stops recording, <code>forget</code> erases what is stored here,
<code>reset</code> begins a new anonymous id.</p>
</footer>
</body>
</html>
"""


def _lead(now: Status, shown: Shown) -> str:
    state = "is recorded" if now.allowed else "is <strong>not</strong> recorded"
    sent = sum(entry.state == "sent" for entry in shown.entries)
    waiting = len(shown.entries) - sent
    return (
        f"Usage of {escape(now.app)} {state} ({escape(now.source)})."
        f" Left this machine: {_messages(sent)}. Waiting: {_messages(waiting)}."
    )


def _overview(now: Status, shown: Shown) -> Iterator[str]:
    yield '<section aria-labelledby="saw"><h2 id="saw">Who saw what</h2>'
    sent = [entry for entry in shown.entries if entry.state == "sent"]
    if not sent:
        yield "<p>Nobody saw anything.</p>"
    else:
        yield "<ul>"
        for transport in sorted({entry.transport for entry in sent}):
            theirs = [entry for entry in sent if entry.transport == transport]
            yield f"<li>{_saw(now, transport, theirs)}</li>"
        yield "</ul>"
    yield '</section><section aria-labelledby="waits"><h2 id="waits">What waits</h2>'
    waiting = [entry for entry in shown.entries if entry.state != "sent"]
    if not waiting:
        yield "<p>Nothing waits to be sent.</p>"
    else:
        yield "<ul>"
        for (transport, state), count in sorted(
            Counter((entry.transport, entry.state) for entry in waiting).items()
        ):
            how = "made, to be sent" if state == "queued" else "recorded, owner not settled"
            yield f"<li><b>{escape(transport)}</b>: {_messages(count)} {how}</li>"
        yield "</ul>"
    if shown.unreadable:
        yield f"<p>{shown.unreadable} more could not be read.</p>"
    yield "</section>"


def _saw(now: Status, transport: str, entries: list[Entry]) -> str:
    where = ""
    if transport == now.transport and now.endpoint:
        where = f" (<code>{escape(now.endpoint)}</code>)"
    ids = sorted({one for entry in entries if (one := entry.distinct_id)})
    times = [entry.sent_at for entry in entries if entry.sent_at]
    return (
        f"<b>{escape(transport)}</b>{where} was given {_messages(len(entries))}"
        f" about {', '.join(f'<code>{escape(one)}</code>' for one in ids)},"
        f" from {_time(min(times))} to {_time(max(times))}."
    )


def _timeline(shown: Shown) -> Iterator[str]:
    yield '<section aria-labelledby="story"><h2 id="story">What happened</h2>'
    numbers = persons(shown.entries)
    for part in tell(shown.entries):
        yield from _part(part, numbers)
    if not shown.entries:
        yield "<p>Nothing was recorded.</p>"
    yield "</section>"


def _part(part: Part, numbers: dict[str, int]) -> Iterator[str]:
    match part:
        case Fresh(anon_id, after_logout):
            why = "After the logout" if after_logout else "Somebody else, or a reset"
            yield (
                f'<p class="turn fresh"><b>New anonymous id.</b> {why}: nothing connects'
                f" <code>{escape(anon_id)}</code> to what came before.</p>"
            )
        case Link(entry):
            yield (
                f'<p class="turn link"><b>Linked.</b> {_time(entry.timestamp)}: what'
                f" <code>{escape(str(entry.previous_id))}</code> did counts for"
                f" <code>{escape(str(entry.distinct_id))}</code>. {_badge(entry)}</p>"
            )
        case Chapter(who, anonymous, entries):
            colour = "none" if who is None else f"p{numbers[who] % COLOURS}"
            kind = "anonymous" if anonymous else "known"
            yield f'<article class="chapter {colour} {kind}">{_heading(who, anonymous)}<ol>'
            yield from map(_event, entries)
            yield "</ol></article>"


def _heading(who: str | None, anonymous: bool) -> str:
    if who is None:
        return "<h3>Not settled yet <small>decided when a worker looks at it</small></h3>"
    kind = "Anonymous" if anonymous else "Logged in"
    return f"<h3>{kind} <code>{escape(who)}</code></h3>"


def _event(entry: Entry) -> str:
    name = entry.properties.get("command_name", entry.event)
    failed = entry.event is not None and entry.event.endswith("failed")
    outcome = '<span class="bad">failed</span>' if failed else "succeeded"
    took = entry.properties.get("duration")
    duration = f", {escape(str(took))} ms" if took is not None else ""
    return (
        f"<li><p>{_time(entry.timestamp)} <b>{escape(str(name))}</b> {outcome}{duration}"
        f" {_badge(entry)}</p>{_everything(entry)}</li>"
    )


def _badge(entry: Entry) -> str:
    transport = escape(entry.transport)
    if entry.sent_at is not None:
        return f'<span class="badge sent">sent through {transport}, {_time(entry.sent_at)}</span>'
    return f'<span class="badge waits">waits for {transport}</span>'


def _everything(entry: Entry) -> str:
    about: dict[str, object] = {"event": entry.event, "uuid": entry.uuid}
    if entry.distinct_id is not None:
        about |= {"distinct_id": entry.distinct_id, "is_anon": entry.is_anon}
    rows = _rows([*about.items(), *entry.properties.items()])
    return f"<details><summary>Everything in it</summary><dl>{rows}</dl></details>"


def _rows(pairs: Iterable[tuple[str, object]]) -> str:
    return "".join(
        f"<div><dt>{escape(key)}</dt><dd>{escape(str(value))}</dd></div>" for key, value in pairs
    )


def _time(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f'<time datetime="{utc.isoformat()}">{utc:%Y-%m-%d %H:%M:%S}</time>'


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _place(now: Status) -> str:
    return next((file.path for file in now.files if file.what == "who you are"), "nothing")
