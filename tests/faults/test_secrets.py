"""What an error message says of a person: nothing that is a secret leaves, or is written down."""

from __future__ import annotations

import pytest

from cli import wait_until
from faults.machine import Machine
from faults.table import told

# The message; what arrives of it; what must not.
SECRETS = {
    "a bearer token": (
        "401 for Bearer sk-live-4eC39HqLyjWDarjtT1zdp7dc",
        "401 for Bearer <secret>",
        ["4eC39H"],
    ),
    "a password and a token in a URL": (
        "cannot reach https://alice:hunter2@example.com/?token=s3cr3tvalue",
        "cannot reach https://<secret>@example.com/?<query>",
        ["alice", "hunter2", "s3cr3tvalue"],
    ),
    "a path of the person's": (
        "no such file: /home/alice/clients/acme-merger/creds.json",
        "no such file: <path>",
        ["alice", "acme-merger"],
    ),
    "a key of a cloud": (
        "AccessDenied for AKIAIOSFODNN7EXAMPLE",
        "AccessDenied for <secret>",
        ["AKIAIOSF"],
    ),
    "a private key": (
        "bad key: -----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
        "bad key: <key>",
        ["MIIEow"],
    ),
    "a password of a database": (
        "connection to postgresql://app:pa55word@db.internal:5432/prod failed",
        "connection to postgresql://<url> failed",
        ["pa55word"],
    ),
    "an e-mail address": (
        "no account alice.smith@example.com",
        "no account <email>",
        ["alice.smith"],
    ),
}


@pytest.mark.fault("output", "{what} in an error message", "an exception that says it")
@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_in_an_error_message_stays_with_the_person(toolbox: Machine, what: str) -> None:
    message, arrives, parts = SECRETS[what]
    toolbox.pause()
    toolbox.run("fail", "one", message, check=False)
    assert 1 == len(toolbox.records())
    assert not found(toolbox, parts), "in the record"

    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    assert not found(toolbox, parts), "in the ledger"
    assert arrives == toolbox.captures()[0]["properties"]["error_message"]
    assert not [part for part in parts if part in str(toolbox.collector.events)]
    told(f"of the message `{arrives}`, and on the disk no more")


def found(toolbox: Machine, parts: list[str]) -> list[str]:
    """Return which of these parts lie in a file of this home, or in the name of one."""
    files = [path for path in toolbox.home.rglob("*") if path.is_file()]
    assert files
    texts = [*map(str, files), *(path.read_text(errors="replace") for path in files)]
    return [part for part in parts if any(part in text for text in texts)]
