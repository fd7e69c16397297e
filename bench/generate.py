"""Job documents to measure with, as NDJSON: the same seed gives the same bytes.

    python -m bench.generate --count 100000 --seed 1 --out bench/data/100k.ndjson

Each line is a `models.Job` as Go's encoding/json writes it from v1.1.6 on (fields in the order
of bacalhau pkg/models/job.go and task.go, `omitempty` obeyed, maps sorted by key, `&` escaped).
Job `n` of a seed depends on nothing but (seed, n): `--start` skips for free, and the first
100,000 jobs of a million are the 100,000 of the smaller file.

Twenty requesters each run one Bacalhau version, so that the eras mix at every size:
v1.1.6-v1.2.0 (`requester.publicKey`, `client.id` and its hex as namespace from the legacy API),
v1.2.1-v1.5.0 (no key), v1.5.2 and later (`orchestrator.id`, installation and instance IDs).
A million jobs hold some 12 million Meta pairs, of which some 260 thousand are distinct.
"""

from __future__ import annotations

import argparse
import sys
from bisect import bisect
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b, sha256
from itertools import accumulate, islice
from pathlib import Path
from struct import unpack
from typing import BinaryIO, NamedTuple
from uuid import UUID

from bench import requesters

DATA = Path(__file__).with_name("data")
"""Where generated files go; ignored by git."""

CLIENTS = 5_000
_START_NS = 1_700_000_000_000_000_000
_STEP_NS = 63_072_000_000
"""A million jobs in two years."""
_JITTER_NS = 600_000_000_000

_KEY_ERA, _NATS_ERA, _ORCHESTRATOR_ERA = 1, 2, 3
_ERAS = (1, 2, 3, 1, 3, 1, 2, 2, 3, 3) * 2
"""Version of each requester."""

_TEAMS = ("genomics", "vision", "climate", "fraud", "search", "routing", "speech", "imaging")
_PROJECTS = tuple(f"{team}-{kind}" for team in _TEAMS for kind in ("etl", "train", "score", "qa"))
_REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-south-1", "sa-east-1")
_ENVS = ("prod", "prod", "prod", "staging", "dev", "dev")
_BRANCHES = ("main", "main", "main", "develop", *(f"feature/{n:03}" for n in range(60)))
_STAGES = ("extract", "clean", "train", "evaluate", "infer", "publish")
_GPUS = ("a100", "h100", "l4", "t4")
_IMAGES = tuple(
    f"ghcr.io/{team}/{stage}:{major}.{minor}"
    for team in _TEAMS
    for stage in _STAGES
    for major, minor in ((1, 4), (2, 0), (2, 3))
)
_FINAL = ("Completed",) * 12 + ("Failed", "Failed", "Stopped")
_OPEN = ("Pending", "Running", "Running")
_MESSAGES = {"Failed": "execution failed: exit code 1", "Stopped": "job stopped by user"}

_JOB = (
    '{"ID":"%s","Name":"%s","Namespace":"%s","Type":"%s","Priority":%d,"Count":1,'
    '"Constraints":%s,"Meta":{%s"env":"%s","git.branch":"%s","git.commit":"%s",'
    '"project":"%s",%s"run.id":"%s","team":"%s"},"Labels":{%s},"Tasks":[%s],'
    '"State":{"StateType":"%s"%s},"Version":%d,"Revision":%d,'
    '"CreateTime":%d,"ModifyTime":%d}'
)
_TASK = (
    '{"Name":"%s","Engine":{"Type":"docker","Params":{"Entrypoint":["sh","-c"],"Image":"%s",'
    '"Parameters":["./%s \\u0026\\u0026 sync"]}},'
    '"Publisher":%s,%s"Meta":{%s"stage":"%s"},%s%s"Resources":{"CPU":"%d","Memory":"%dGb"%s},'
    '"Network":{"Type":"None"},"Timeouts":{"ExecutionTimeout":%d}}'
)


class _Client(NamedTuple):
    home: int
    """Index of the requester that takes most of its jobs."""
    legacy: bool
    """Sends through the legacy API where that still exists."""
    client_id: str
    installation: str
    """The Meta members of its installation and instance, as JSON; empty of a plain API client."""


@lru_cache(maxsize=16_384)
def _hex(kind: bytes, number: int, size: int) -> str:
    return blake2b(b"%s/%d" % (kind, number), digest_size=size).hexdigest()


def _uuid(kind: bytes, number: int) -> str:
    return str(UUID(hex=_hex(kind, number, 16), version=4))


def _make_client(number: int) -> _Client:
    return _Client(
        home=number % 20,
        legacy=number % 5 < 3,
        client_id=sha256(b"client/%d" % number).hexdigest(),
        installation=(
            f'"bacalhau.org/client.installation.id":"{_uuid(b"installation", number)}",'
            f'"bacalhau.org/client.instance.id":"{_uuid(b"instance", number)}",'
        )
        if number % 8
        else "",
    )


class Generator:
    """The documents of one seed."""

    def __init__(self, seed: int) -> None:
        self._key = b"meta-audit bench %d" % seed
        self._requesters = requesters.load()
        self._clients = [_make_client(number) for number in range(CLIENTS)]
        weights = list(accumulate(1 / rank for rank in range(1, CLIENTS + 1)))
        self._zipf = [int(weight / weights[-1] * 2**32) for weight in weights[:-1]]

    def documents(self, start: int, count: int) -> Iterator[str]:
        """Yield jobs `start` to `start + count - 1` (from 0) as first seen."""
        return (self._document(number, later=False) for number in range(start, start + count))

    def states(self, start: int, count: int) -> Iterator[str]:
        """Yield a later observation of those of the same jobs that were first seen unfinished.

        Only State, Revision and ModifyTime differ from the first sight.
        """
        for number in range(start, start + count):
            if self._words(number)[7] % 20 < 7:
                yield self._document(number, later=True)

    def _words(self, number: int) -> tuple[int, ...]:
        """Return the 64-bit random words of one job."""
        return unpack(
            "<8Q", blake2b(number.to_bytes(8, "little"), key=self._key, digest_size=64).digest()
        )

    def _document(self, number: int, *, later: bool) -> str:
        r0, r1, r2, r3, r4, r5, r6, r7 = self._words(number)
        # Variant and version bits of a random UUID (RFC 9562, section 5.4).
        job_hex = f"{r0:016x}{r1:016x}"
        job_id = (
            f"j-{job_hex[:8]}-{job_hex[8:12]}-4{job_hex[13:16]}-"
            f"{'89ab'[r1 >> 60 & 3]}{job_hex[17:20]}-{job_hex[20:]}"
        )
        client_number = bisect(self._zipf, r2 & 0xFFFFFFFF)
        client = self._clients[client_number]
        at = client.home if r2 >> 32 & 15 else r2 >> 40 & 0xFFFF
        era = _ERAS[at % 20]
        team = _TEAMS[client_number % 8]
        project = _PROJECTS[client_number % 8 * 4 + (r2 >> 56) % 4]
        namespace = "default" if r3 & 3 else team
        legacy = era < _ORCHESTRATOR_ERA and client.legacy
        if legacy:
            namespace = client.client_id
        region = _REGIONS[(r3 >> 2 & 0xFF) % 6]
        stage = (r3 >> 16) % 5
        tasks = self._task(r4, number, team, stage, era)
        if r3 >> 24 & 7 == 0:
            # A second task is never "main": the names of a job's tasks differ.
            tasks += "," + self._task(r5 & ~(1 << 25), number, team, stage + 1, era)

        states = _OPEN if r7 % 20 < 7 and not later else _FINAL
        state = states[(r7 >> 8) % len(states)]
        message = _MESSAGES.get(state)
        created = _START_NS + number * _STEP_NS + r6 % _JITTER_NS
        lived = (r7 >> 16) % 3_600_000_000_000
        return _JOB % (
            job_id,
            job_id if r3 >> 38 & 3 == 0 else f"{project}-{_STAGES[stage]}",
            namespace,
            "ops" if r3 >> 28 & 15 == 0 else "batch",
            r3 >> 32 & 1 and 50,
            f'[{{"Key":"region","Operator":"in","Values":["{region}"]}}]'
            if r3 >> 56 & 7 == 0
            else "[]",
            self._system_meta(at % 20, era, client, legacy),
            _ENVS[(r3 >> 34) % 6],
            _BRANCHES[(r3 >> 40) % 64],
            _hex(b"commit", number // 10 + (r5 >> 32) % 40, 20),
            project,
            f'"region":"{region}",' if r3 >> 48 & 1 else "",
            _uuid(b"run", number // 8 + (r5 >> 40) % 24),
            team,
            f'"cost-centre":"cc-{client_number % 40 + 100}",'
            + (f'"gpu":"{_GPUS[r3 >> 50 & 3]}",' if r3 >> 52 & 7 == 0 else "")
            + f'"owner":"{team}"',
            tasks,
            state,
            f',"Message":"{message}"' if message else "",
            era == _ORCHESTRATOR_ERA,
            2 + (r7 >> 60) % 3 + (2 if later else 0),
            created,
            created + lived // 10 + (lived if later else 0),
        )

    def _system_meta(self, at: int, era: int, client: _Client, legacy: bool) -> str:
        """Return the job-level members that Bacalhau itself writes, as JSON, sorted."""
        requester = self._requesters[at]
        if era == _ORCHESTRATOR_ERA:
            node = f"n-{_uuid(b'node', at)}"
            return (
                f'{client.installation}"bacalhau.org/orchestrator.id":"{node}",'
                f'"bacalhau.org/orchestrator.protocol":"ncl/v1",'
                f'"bacalhau.org/requester.id":"{node}",'
                f'"bacalhau.org/server.installation.id":"{_uuid(b"server installation", at)}",'
                f'"bacalhau.org/server.instance.id":"{_uuid(b"server instance", at)}",'
            )
        meta = f'"bacalhau.org/client.id":"{client.client_id}",' if legacy else ""
        meta += f'"bacalhau.org/requester.id":"{requester.peer_id}",'
        if era == _KEY_ERA:
            meta += f'"bacalhau.org/requester.publicKey":"{requester.public_key}",'
        return meta

    def _task(self, r: int, number: int, team: str, stage: int, era: int) -> str:
        name = _STAGES[stage]
        dataset = inputs = ""
        if r & 3 == 0:
            dataset = f'"dataset":"{team}-{r >> 2 & 15}",'
            inputs = (
                f'"InputSources":[{{"Source":{{"Type":"s3","Params":{{"Bucket":"{team}-data",'
                f'"Key":"{name}/{r >> 2 & 15}/*"}}}},"Alias":"","Target":"/inputs"}}],'
            )
            if r >> 6 & 3:
                version = _hex(b"dataset", number // 40 + (r >> 8) % 8, 8)
                dataset += f'"dataset.version":"{version}",'
        image = _IMAGES[_TEAMS.index(team) * 18 + stage * 3 + (r >> 16) % 3]
        published = r >> 44 & 7 == 0
        return _TASK % (
            name if era == _ORCHESTRATOR_ERA else "main" if r >> 25 & 1 else name,
            image,
            name,
            f'{{"Type":"s3","Params":{{"Bucket":"{team}-results","Key":"{name}/{{jobID}}"}}}}'
            if published
            else '{"Type":""}',
            '"Env":{"LOG_LEVEL":"info","OMP_NUM_THREADS":"4"},' if r >> 26 & 3 == 0 else "",
            dataset,
            name,
            inputs,
            '"ResultPaths":[{"Name":"outputs","Path":"/outputs"}],' if published else "",
            1 << (r >> 28 & 3),
            4 << (r >> 30 & 3),
            ',"GPU":"1"' if r >> 32 & 7 == 0 else "",
            1800 << (r >> 36 & 3),
        )


def write(documents: Iterator[str], out: BinaryIO) -> int:
    """Write documents one to a line; return how many."""
    count = 0
    while batch := list(islice(documents, 2_000)):
        out.write(("\n".join(batch) + "\n").encode("ascii"))
        count += len(batch)
    return count


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="number of jobs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="number of the first job, from 0")
    parser.add_argument("--out", type=Path, help="file to write [bench/data/jobs-….ndjson]")
    parser.add_argument(
        "--states",
        action="store_true",
        help="later observations of those of these jobs that were first seen unfinished",
    )
    chosen = parser.parse_args(arguments)
    kind = "states" if chosen.states else "jobs"
    out = chosen.out or DATA / f"{kind}-{chosen.seed}-{chosen.start}-{chosen.count}.ndjson"
    out.parent.mkdir(parents=True, exist_ok=True)
    generator = Generator(chosen.seed)
    make = generator.states if chosen.states else generator.documents
    part = out.with_name(out.name + ".part")
    with part.open("wb") as file:
        count = write(make(chosen.start, chosen.count), file)
    part.replace(out)
    print(f"{count} documents in {out}", file=sys.stderr)


if __name__ == "__main__":
    main()
