"""Faults of one line each that the tests must notice: where, what becomes of what, who notices."""

from __future__ import annotations

import attrs

__all__ = ["MUTATIONS", "Mutation"]


@attrs.frozen
class Mutation:
    """A fault: in *file* of `src/usage_core`, *old* (found once) becomes *new*.

    *tests* are the arguments of pytest that are known to fail then, the quickest first.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


RULES = "tests/test_lifecycle.py"
CRASHES = "tests/test_crashes.py"
CLOCK = "tests/test_clock.py"
LOSSLESS = "tests/test_lossless.py"
STORY = "tests/test_story.py"

LIFECYCLE = "_identity/lifecycle.py"
WATERFALL = "_identity/waterfall.py"
STORE = "_identity/store.py"
FOLDING = "_delivery/folding.py"
DELIVERY = "_delivery/delivery.py"
WORKPLACE = "_delivery/workplace.py"
IN_HAND = "_delivery/in_hand.py"
PROCESS = "_delivery/process.py"
FOLDER = "_delivery/folder.py"
LOCAL = "_local.py"
RECORDER = "_recorder.py"

MUTATIONS = (
    Mutation(
        "a logout does not rotate",
        LIFECYCLE,
        "known = Anonymous(fact.fresh[1])",
        "known = Anonymous(known.anon_id)",
        (RULES,),
    ),
    Mutation(
        "someone else takes over the anonymous id",
        LIFECYCLE,
        "return Linked(fact.fresh[0], principal, fact.credential)",
        "return Linked(identity.anon_id, principal, fact.credential)",
        (RULES,),
    ),
    Mutation(
        "who cannot be named stays linked",
        LIFECYCLE,
        "return identity if same else Anonymous(fact.fresh[0], fact.credential)",
        "return identity",
        (RULES,),
    ),
    Mutation(
        "an id used under unnamed credentials is linked to anybody",
        LIFECYCLE,
        "mine = unnamed is None or unnamed == fact.credential",
        "mine = True",
        (RULES,),
    ),
    Mutation(
        "unnamed credentials are not remembered",
        LIFECYCLE,
        "return Anonymous(anon_id if mine else fact.fresh[0], fact.credential)",
        "return Anonymous(anon_id if mine else fact.fresh[0])",
        (RULES,),
    ),
    Mutation(
        "the alias comes after the event",
        LIFECYCLE,
        "messages.append(_capture(known, fact))",
        "messages.insert(0, _capture(known, fact))",
        (RULES,),
    ),
    Mutation(
        "a transport is told of a link again and again",
        LIFECYCLE,
        "told=known.told | {fact.transport}",
        "told=known.told",
        (RULES,),
    ),
    Mutation(
        "an alias has the uuid of its event",
        LIFECYCLE,
        'uuid = derived_uuid7(fact.id, "alias")',
        "uuid = fact.id",
        (RULES,),
    ),
    Mutation(
        "a logout is applied twice after a crash",
        LIFECYCLE,
        'if fact.kind == "logout" and identity is not None and identity.anon_id in fact.fresh:',
        "if False:",
        (RULES,),
    ),
    Mutation(
        "a refreshed token makes someone new",
        LIFECYCLE,
        "if principal == known:",
        "if False:",
        (RULES,),
    ),
    Mutation(
        "a linked identity asks",
        WATERFALL,
        "if not must_ask(identity, fact):",
        "if False:",
        (RULES,),
    ),
    Mutation(
        "the same stamp is asked about again",
        WATERFALL,
        "if fact.credential not in self._answers:",
        "if True:",
        (RULES,),
    ),
    Mutation(
        "what is there now is asked about what was there then",
        WATERFALL,
        "return self.stamp_now is None or self.stamp_now() == stamp",
        "return True",
        (STORY,),
    ),
    Mutation(
        "an answer that cannot name a person is believed",
        WATERFALL,
        "if not is_principal(answer) or not self._is_current(fact.credential):",
        "if not self._is_current(fact.credential):",
        (RULES,),
    ),
    Mutation(
        "the store forgets who was told",
        STORE,
        '"told": sorted(told),',
        '"told": [],',
        (RULES,),
    ),
    Mutation(
        "the store forgets unnamed credentials",
        STORE,
        '"linked_principal_id": None,\n                    "credential": credential,',
        '"linked_principal_id": None,\n                    "credential": None,',
        (RULES,),
    ),
    Mutation(
        "the store drops what other programs wrote",
        STORE,
        "{**kept, **ours}",
        "ours",
        (RULES,),
    ),
    Mutation(
        "the fact is removed before its messages are written",
        FOLDING,
        "outbox = self.place.folder.outbox(fact.transport)",
        "outbox = self.place.folder.outbox(fact.transport); self.place.folder.facts.remove(name)",
        (CRASHES,),
    ),
    Mutation(
        "the identity is written before the messages",
        FOLDING,
        "outbox = self.place.folder.outbox(fact.transport)",
        "outbox = self.place.folder.outbox(fact.transport); self._store.write(after)",
        (CRASHES,),
    ),
    Mutation(
        "the identity is not written",
        FOLDING,
        "if after != before:",
        "if False:",
        (CRASHES,),
    ),
    Mutation(
        "an answer is acted on before it is written down",
        FOLDING,
        "write_file(path, records.with_principal(data, principal), sync=True)",
        "pass",
        (f"{CRASHES}::test_an_answer_outlives_the_worker_that_asked",),
    ),
    Mutation(
        "nobody knows which record a plug-in died of",
        FOLDING,
        "with self.place.in_hand.hold(self._asking, self._asking):",
        "if True:",
        (f"{CRASHES}::test_a_record_in_hand_when_three_workers_died_is_set_aside",),
    ),
    Mutation(
        "a deadly fact is tried for ever",
        FOLDING,
        "if self.place.in_hand.deaths(name) >= DEADLY:",
        "if False:",
        (f"{CRASHES}::test_a_record_in_hand_when_three_workers_died_is_set_aside",),
    ),
    Mutation(
        "a message that is too long kills the worker",
        FOLDING,
        "if isinstance(message, Capture) and len(text) > LARGEST:",
        "if False:",
        (f"{CRASHES}::test_a_fact_that_another_program_made_too_large_loses_its_properties_alone",),
    ),
    Mutation(
        "messages leave while their fact can still be folded again",
        DELIVERY,
        'if name.rsplit("-", 2)[0] in unfolded:',
        "if False:",
        (f"{CRASHES}::test_nothing_leaves_that_may_yet_become_another_message",),
    ),
    Mutation(
        "an alias leaves together with what is behind it",
        DELIVERY,
        "if deaths or isinstance(message, Alias) or len(batch) == BATCH:",
        "if deaths or len(batch) == BATCH:",
        (LOSSLESS,),
    ),
    Mutation(
        "messages are removed before they are sent",
        DELIVERY,
        "names = list(batch)",
        "names = list(batch); [self.outbox.remove(name) for name in names]",
        (CRASHES,),
    ),
    Mutation(
        "messages are not removed after they were sent",
        DELIVERY,
        "for name in names:\n            self.outbox.remove(name)",
        "for name in names:\n            pass",
        (f"{CRASHES}::test_what_is_rejected_is_dropped_and_the_rest_counts_once",),
    ),
    Mutation(
        "an error that a transport did not translate counts as delivered",
        DELIVERY,
        "raise Unavailable(repr(error)) from error",
        "return None",
        (CRASHES,),
    ),
    Mutation(
        "a deadly message is tried for ever",
        DELIVERY,
        "if deaths >= DEADLY:",
        "if False:",
        (f"{CRASHES}::test_a_record_in_hand_when_three_workers_died_is_set_aside",),
    ),
    Mutation(
        "nobody knows which message a transport died of",
        DELIVERY,
        "with self.place.in_hand.hold(names[0], names[-1]):",
        "if True:",
        (f"{CRASHES}::test_a_record_in_hand_when_three_workers_died_is_set_aside",),
    ),
    Mutation(
        "deaths are not counted",
        IN_HAND,
        "self.deaths(first) + 1",
        "self.deaths(first) or 1",
        (f"{CRASHES}::test_a_record_in_hand_when_three_workers_died_is_set_aside",),
    ),
    Mutation(
        "a worker does not look whether it may",
        WORKPLACE,
        "if not allowed:",
        "if False:",
        (f"{CRASHES}::test_nothing_leaves_once_it_is_switched_off",),
    ),
    Mutation(
        "the lease is never lifted",
        PROCESS,
        "            remove_file(folder.lease)\n        # What",
        "            pass\n        # What",
        (f"{CRASHES}::test_a_worker_that_leaves_takes_its_lease_along",),
    ),
    Mutation(
        "a dead worker holds the lease",
        RECORDER,
        "now < end <= now + LONGEST and _lives(lease_holder(path))",
        "now < end <= now + LONGEST",
        (f"{CRASHES}::test_real_workers_killed_around_their_requests_lose_nothing",),
    ),
    Mutation(
        "a lease from before the clock was set back stands",
        RECORDER,
        "now < end <= now + LONGEST and",
        "now < end and",
        (f"{LOSSLESS}::test_a_lease_from_a_clock_that_was_set_back_counts_as_none",),
    ),
    Mutation(
        "a spool is full for ever",
        FOLDER,
        "os.ftruncate(mark, units)",
        "pass",
        (
            f"{CRASHES}::test_a_full_journal_takes_what_changes_the_identity_and_a_worker_makes_room",
        ),
    ),
    Mutation(
        "a spool has no order",
        FOLDER,
        "return sorted(name for",
        "return list(name for",
        (f"{CLOCK}::test_what_was_recorded_first_is_folded_and_delivered_first",),
    ),
    Mutation(
        "a spool trusts one listing",
        FOLDER,
        "name for name in self._list() if name <= newest",
        "name for name in self._list()",
        (
            f"{LOSSLESS}::test_a_record_that_comes_while_the_folder_is_listed_waits_for_the_next_look",
        ),
    ),
    Mutation(
        "a full spool refuses a login",
        LOCAL,
        "if taken + units > ROOM and not always:",
        "if taken + units > ROOM:",
        (
            f"{CRASHES}::test_a_full_journal_takes_what_changes_the_identity_and_a_worker_makes_room",
        ),
    ),
    Mutation(
        "a spool is never full",
        LOCAL,
        "if taken + units > ROOM and not always:",
        "if False:",
        (
            f"{CRASHES}::test_a_full_journal_takes_what_changes_the_identity_and_a_worker_makes_room",
        ),
    ),
    Mutation(
        "a file can be seen half written",
        LOCAL,
        'passing = os.path.join(folder, f".{name}.{os.getpid()}.tmp")',
        "passing = path",
        (CRASHES,),
    ),
)
