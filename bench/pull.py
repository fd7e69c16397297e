"""How fast a pull is beside an ingest of the same documents from files.

    python -m bench.pull --count 10000 --rounds 3

A server in a process of its own holds jobs of `bench.generate`, each with an execution and a
history of five events, and answers as a Bacalhau orchestrator does (v1.5 and later) from bytes
that it made before. `pull` takes them into a new SQLite store; then the same documents, from one
NDJSON file in the order in which the store has them, go into another one. Printed are seconds,
processor seconds of the program, and the ratio of the two within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

import orjson

from bench.generate import Generator
from meta_audit import api
from meta_audit.sources.orchestrator.job_list import Order, offset_token
from meta_audit.store.frames import decompress

JOBS = "/api/v1/orchestrator/jobs"
EVENTS = 5


class Answers:
    """The bodies of all answers."""

    def __init__(self, count: int, seed: int) -> None:
        self.jobs: list[tuple[int, int, bytes]] = []
        self.parts: dict[str, dict[str, bytes]] = {}
        for document in Generator(seed).documents(0, count):
            job = orjson.loads(document)
            made = job["CreateTime"], job["ModifyTime"]
            self.jobs.append((*made, document.encode()))
            self.parts[job["ID"]] = {
                "executions": _page([_execution(job)]),
                "history": _page([_event(job, number) for number in range(EVENTS)]),
            }
        self.by_creation = sorted(self.jobs)
        self.by_change = sorted(self.jobs, key=lambda one: -one[1])

    def answer(self, target: str) -> bytes:
        """Return the body of the answer to a request."""
        asked = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path != JOBS:
            job_id, part = asked.path.removeprefix(f"{JOBS}/").split("/")
            return self.parts[job_id].get(part, b'{"Items":[],"NextToken":""}')
        token, limit = query.get("next_token", ""), int(query["limit"])
        offset = _offset(token) if token else 0
        order: Order = "modified_at" if query["order_by"] == "modified_at" else "created_at"
        listed = self.by_change if order == "modified_at" else self.by_creation
        chosen = [body for _, _, body in listed[offset : offset + limit]]
        end = offset + limit
        following = offset_token(order, limit, end) if end < len(listed) else ""
        return b'{"Items":[%s],"NextToken":"%s"}' % (b",".join(chosen), following.encode())


def _execution(job: dict[str, object]) -> bytes:
    return orjson.dumps(
        {
            "ID": f"e-{job['ID']}",
            "Namespace": job["Namespace"],
            "NodeID": "n-e17ac1c2-387a-412f-b301-f8290d0496c1",
            "JobID": job["ID"],
            "DesiredState": {"StateType": 2, "Message": "execution completed"},
            "ComputeState": {"StateType": 7, "Message": ""},
            "PublishedResult": {"Type": ""},
            "Revision": 4,
            "CreateTime": job["CreateTime"],
            "ModifyTime": job["ModifyTime"],
        }
    )


def _event(job: dict[str, object], number: int) -> bytes:
    at = f"2024-11-25T22:48:{number:02}.886913868Z"
    return orjson.dumps(
        {
            "SeqNum": number + 1,
            "Type": "JobLevel" if number % 2 else "ExecutionLevel",
            "JobID": job["ID"],
            "ExecutionID": "" if number % 2 else f"e-{job['ID']}",
            "Event": {"Message": "Running", "Topic": "State Update", "Timestamp": at},
            "Time": at,
        }
    )


def _page(elements: Sequence[bytes]) -> bytes:
    return b'{"NextToken":"","Items":[%s]}' % b",".join(elements)


def _offset(token: str) -> int:
    return int(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).rsplit(b":", 1)[1])


class Server(asyncio.Protocol):
    """One connection that stays open."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            body = self._answers.answer(target)
            self._transport.write(  # type: ignore[attr-defined]
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
                b"X-Bacalhau-Git-Version: v1.6.5\r\nVary: Origin\r\n"
                b"Date: Wed, 25 Nov 2026 22:48:48 GMT\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )


def serve(count: int, seed: int, pipe: Connection) -> None:
    """Serve on a port that is told through the pipe."""
    answers = Answers(count, seed)

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Server(answers), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def timed(*arguments: str) -> tuple[float, float]:
    """Run the program; return seconds, and processor seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "meta_audit", *arguments, "--quiet"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, used


def documents(db: Path) -> bytes:
    """Return the documents of a store, a line each, in the order of their entries."""
    with api.open(str(db)) as store:
        found = store.read(
            lambda session: (
                dict(session.query("SELECT dictionary_id, content FROM compression_dictionaries")),
                session.query("SELECT dictionary_id, content FROM documents ORDER BY document_id"),
            )
        )
    dictionaries, rows = found
    return b"".join(
        decompress(bytes(frame), bytes(dictionaries[number]) if number else b"") + b"\n"
        for number, frame in rows
    )


def main() -> None:
    """Measure, and print a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="jobs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(
        target=serve, args=(chosen.count, chosen.seed, theirs), daemon=True
    )
    server.start()
    port = ours.recv()
    ratios = []
    for number in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CONFIG_HOME"] = folder
            pulled, filed = Path(folder) / "pulled.db", Path(folder) / "filed.db"
            pull = timed("pull", f"http://127.0.0.1:{port}", "--db", str(pulled))
            file = Path(folder) / "documents.ndjson"
            file.write_bytes(documents(pulled))
            ingest = timed("ingest", str(file), "--db", str(filed))
        ratios.append(ingest[0] / pull[0])
        print(
            f"round {number + 1}: pull {pull[0]:.2f} s ({pull[1]:.2f} s of processor),"
            f" files {ingest[0]:.2f} s ({ingest[1]:.2f} s): {ratios[-1]:.2f}"
        )
    print(f"median: a pull has {median(ratios):.2f} of the speed of files")


if __name__ == "__main__":
    main()
