"""Signed notes and checkpoints: the published examples, round trips, and manglings."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.errors import LedgerError
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint, split_checkpoints
from meta_audit.ledger.merkle import EMPTY_ROOT
from meta_audit.ledger.note import Note, Signature, SigningKey, VerifierKey, sign_note


@dataclass
class Published:
    """A verifier key and a note that it signed, from public documentation."""

    key: str
    note: str


# https://c2sp.org/signed-note, "Example" (CC BY 4.0).
C2SP = Published(
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw"
    "HjG1Yu72IneyaQM=\n",
)
# Package documentation of golang.org/x/mod/sumdb/note (BSD-3-Clause).
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)
GO_ENOCH = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33W"
    "Wd1RvMc+QQ=\n"
)
GO = Published(
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", f"{GO_TEXT}\n{GO_PETER}"
)
GO_ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"

PETER = VerifierKey.parse(GO.key)
ENOCH = VerifierKey.parse(GO_ENOCH_KEY)
KEY = SigningKey("log.example/audit", bytes(range(32)))

names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20
).filter(lambda name: "+" not in name and not any(map(str.isspace, name)))
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@pytest.mark.parametrize("published", [C2SP, GO], ids=["C2SP", "Go"])
def test_published_examples_verify(published: Published) -> None:
    key = VerifierKey.parse(published.key)
    note = Note.parse(published.note)
    assert str(key) == published.key
    assert str(note) == published.note
    assert note.verify([key]) == (key,)


def test_the_go_private_key_gives_the_go_signature() -> None:
    key = SigningKey.parse(GO_SECRET)
    assert str(key.verifier) == GO.key
    assert str(sign_note(GO_TEXT, key)) == GO.note
    assert key.secret() == GO_SECRET


def test_known_signatures_count_and_unknown_ones_are_ignored() -> None:
    both = Note.parse(f"{GO_TEXT}\n{GO_PETER}{GO_ENOCH}")
    assert both.verify([PETER]) == (PETER,)
    assert both.verify([ENOCH, PETER]) == (PETER, ENOCH)
    assert Note.parse(GO.note + GO_PETER).verify([PETER]) == (PETER,)
    for keys in ([], [VerifierKey.parse(C2SP.key)]):
        with pytest.raises(LedgerError, match="no known key"):
            both.verify(keys)


def test_a_false_signature_of_a_known_key_refuses_the_whole_note() -> None:
    line = Note.parse(GO.note).signatures[0]
    false = Signature(line.name, line.key_id, bytes(64))
    for note in (Note(GO_TEXT, (false,)), Note(GO_TEXT, (line, false))):
        with pytest.raises(LedgerError, match="false"):
            note.verify([PETER])


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A collision of 32 bits costs more time than a test has: the ID is made equal here.
    monkeypatch.setattr(VerifierKey, "key_id", PETER.key_id)
    other = VerifierKey(PETER.name, bytes(32))
    with pytest.raises(LedgerError, match="two different keys"):
        Note.parse(GO.note).verify([PETER, other])


@pytest.mark.parametrize("text", [GO.key, GO_SECRET], ids=["verifier", "signing"])
def test_every_mangled_key_is_refused(text: str) -> None:
    parse = SigningKey.parse if text == GO_SECRET else VerifierKey.parse
    pieces = {text[i:j] for i in range(len(text)) for j in range(i, len(text) + 1)} - {text}
    changed = {text[:i] + chr(ord(c) + 1) + text[i + 1 :] for i, c in enumerate(text)}
    for bad in [*pieces, *changed, text + "\n", " " + text, text.replace("c74f20a3", "C74F20A3")]:
        with pytest.raises(LedgerError):
            parse(bad)


@pytest.mark.parametrize(
    "bad",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
    ids=["length", "algorithm"],
)
def test_keys_of_another_length_or_algorithm_are_refused(bad: str) -> None:
    with pytest.raises(LedgerError):
        VerifierKey.parse(bad)


@pytest.mark.parametrize(
    "bad",
    [
        GO_TEXT,
        GO_TEXT + "\n",
        GO.note[:-1],
        GO.note + "\n",
        "\x01" + GO.note,
        "\r" + GO.note,
        "\t" + GO.note,
        "\ud800" + GO.note,
        GO.note.replace("— Peter", "- Peter"),
        GO.note.replace("— PeterNeumann", "— Bad Name"),
        GO.note.replace("— PeterNeumann", "— a+b"),
        GO.note.replace("— PeterNeumann", "— "),
        GO.note.replace("— PeterNeumann ", "— PeterNeumann\N{NO-BREAK SPACE}"),
        GO.note + "Unexpected line.\n",
        f"{GO_TEXT}\n— PeterNeumann x08go/Z=\n",
        f"{GO_TEXT}\n— PeterNeumann x08gow==\n",
        f"{GO_TEXT}\n— PeterNeumann x08g\n",
        f"{GO_TEXT}\n— PeterNeumann é===\n",
        GO.note + GO_PETER * 100,
        "",
    ],
)
def test_malformed_notes_are_refused(bad: str) -> None:
    with pytest.raises(LedgerError):
        Note.parse(bad)


def test_the_last_empty_line_separates_text_and_signatures() -> None:
    note = sign_note("first\n\nsecond\n\n\n", KEY)
    assert Note.parse(str(note)) == note
    assert note.verify([KEY.verifier])


@pytest.mark.parametrize("text", ["", "abc", "a\0\n", "a\r\n", "\ud800\n"])
def test_what_is_not_a_text_is_not_signed(text: str) -> None:
    with pytest.raises(LedgerError):
        sign_note(text, KEY)


@given(names, st.lists(lines, min_size=1, max_size=4))
def test_notes_and_keys_round_trip(name: str, text_lines: list[str]) -> None:
    key = SigningKey.generate(name)
    assert SigningKey.parse(key.secret()) == key
    assert VerifierKey.parse(str(key.verifier)) == key.verifier
    text = "".join(f"{line}\n" for line in text_lines)
    note = sign_note(text, key, KEY)
    assert Note.parse(str(note)) == note
    assert note.verify([KEY.verifier, key.verifier]) == (key.verifier, KEY.verifier)
    other = Note("x" + text, note.signatures)
    with pytest.raises(LedgerError, match="false"):
        other.verify([key.verifier])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\N{EM SPACE}", "\x00", "\ud800"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LedgerError):
        SigningKey.generate(name)


def test_the_secret_is_not_shown() -> None:
    assert repr(KEY) == f"SigningKey('{KEY.verifier}')"
    secret = KEY.secret().rpartition("+")[2]
    assert secret not in f"{KEY!r} {KEY} {[KEY]}"
    with pytest.raises(LedgerError) as caught:
        SigningKey.parse(KEY.secret().replace("log", "leg"))
    assert secret not in str(caught.value)


# Checkpoints

# https://c2sp.org/tlog-checkpoint, the example at its head (CC BY 4.0).
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_the_published_checkpoint_is_read() -> None:
    checkpoint = Checkpoint.parse(Note.parse(SOFA).text)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20852163
    assert checkpoint.text == Note.parse(SOFA).text


@given(
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(lines.filter(bool), max_size=3).map(tuple),
)
def test_checkpoints_round_trip(size: int, root: bytes, extensions: tuple[str, ...]) -> None:
    checkpoint = Checkpoint(KEY.name, size, root, extensions)
    note = checkpoint.sign(KEY)
    assert open_checkpoint(note, [KEY.verifier]) == (checkpoint, (KEY.verifier,))
    stranger = SigningKey.generate(KEY.name).verifier
    with pytest.raises(LedgerError):
        open_checkpoint(note, [stranger])


ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "o\n1\n",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nx\n",
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n",
        f"o\n\N{ARABIC-INDIC DIGIT ONE}\n{ROOT}\n",
        f"o\n1_0\n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n1{'0' * 5000}\n{ROOT}\n",
        f"o\n0\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT[:-4]}\n",
        f"o\n1\n{ROOT.replace('2I=', '2J=')}\n",
        f"o\n1\n{ROOT.replace('/', '_')}\n",
        f"o\r\n1\n{ROOT}\n",
        "o\n1\n\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(LedgerError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "bad",
    [
        Checkpoint("another.example/log", 1, bytes(32)),
        Checkpoint(KEY.name, -1, bytes(32)),
        Checkpoint(KEY.name, 0, bytes(32)),
        Checkpoint(KEY.name, 1, bytes(31)),
        Checkpoint(KEY.name, 1, bytes(32), ("",)),
        Checkpoint(KEY.name, 1, bytes(32), ("a\nb",)),
    ],
)
def test_what_is_not_a_checkpoint_is_not_signed(bad: Checkpoint) -> None:
    with pytest.raises(LedgerError):
        bad.sign(KEY)


def test_the_empty_tree_has_a_checkpoint() -> None:
    checkpoint = Checkpoint(KEY.name, 0, EMPTY_ROOT)
    assert open_checkpoint(checkpoint.sign(KEY), [KEY.verifier])[0] == checkpoint


def test_cve_2022_39199_the_key_of_one_log_does_not_vouch_for_another() -> None:
    """immudb's clients believed whatever name a server gave itself."""
    other = Checkpoint("another.example/log", 1, bytes(32))
    note = str(sign_note(other.text, KEY))
    with pytest.raises(LedgerError, match="is of the log"):
        open_checkpoint(note, [KEY.verifier])


def test_a_rotated_key_leaves_old_checkpoints_verifiable() -> None:
    new = SigningKey.generate(KEY.name)
    keys = [new.verifier, KEY.verifier]
    for key in (KEY, new):
        note = Checkpoint(KEY.name, 1, bytes(32)).sign(key)
        assert open_checkpoint(note, keys)[1] == (key.verifier,)


def test_a_file_of_checkpoints_is_taken_apart() -> None:
    notes = tuple(Checkpoint(KEY.name, size, bytes(32)).sign(KEY) for size in (1, 5, 9))
    file = "".join(f"{note}\n" for note in notes)
    assert split_checkpoints(file) == notes
    assert split_checkpoints(file.rstrip("\n")) == notes
    assert split_checkpoints("") == split_checkpoints("\n") == ()
    assert split_checkpoints(notes[0]) == notes[:1]
    with pytest.raises(LedgerError, match="inside checkpoint 3"):
        split_checkpoints("".join(f"{note}\n" for note in notes[:2]) + "log.example/audit\n9\n")
