"""One small document of each layout and wrapper, as decoded values.

Copied and cut down from documentation, examples and tests of bacalhau-project/bacalhau
(Apache-2.0), as is data/signed_submission.json. Copy them before you change them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIGNED = (Path(__file__).parent / "data" / "signed_submission.json").read_bytes()
"""A complete signed submission of v0.3 (clients/python at that time)."""

REQUESTER = "QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVL"
REQUESTER_KEY = (
    "CAASpgIwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQDVRKPgCfY2fgfrkHkFjeWcqno+MDpmp8DgVaY672Bq"
    "Jl/dZFNU9lBg2P8Znh8OTtHPPBUBk566vU3KchjW7m3uK4OudXrYEfSfEPnCGmL6GuLiZjLf+eXGEez7qPaoYqo06gD8"
    "ROdD8VVse27E96LlrpD1xKshHhqQTxKoq1y6Rx4DpbkSt966BumovWJ70w+Nt9ZkPPydRCxVnyWS1khECFQxp5Ep3Nbb"
    "KtxHNX5HeULzXN5q0EQO39UN6iBhiI34eZkH7PoAm3Vk5xns//FjTAvQw6wZUu8LwvZTaihs+upx2zZysq6CEBKoeNZq"
    "ed9+Tf+qHow0P5pxmiu+or+DAgMBAAE="
)
CLIENT = "bae9c3b2adfa04cc647a2457e8c0c605cef8ed93bdea5ac5f19f94219f722dfe"
RESERVED = "bacalhau.org/"

CURRENT: dict[str, Any] = {
    "ID": "j-d586d2cc-6fc9-42c4-9dd9-a78df1d7cd01",
    "Name": "A sample job",
    "Namespace": "default",
    "Type": "batch",
    "Priority": 0,
    "Count": 1,
    "Constraints": [{"Key": "region", "Operator": "in", "Values": ["eu"]}],
    "Meta": {
        "bacalhau.org/requester.id": REQUESTER,
        "bacalhau.org/requester.publicKey": REQUESTER_KEY,
        "project": "frontend",
    },
    "Labels": {"env": "prod", "name": "demo"},
    "Tasks": [
        {
            "Name": "main",
            "Engine": {
                "Type": "docker",
                "Params": {
                    "Entrypoint": ["/bin/bash"],
                    "Image": "ubuntu:latest",
                    "Parameters": ["-c", "echo hello world"],
                },
            },
            "Publisher": {"Type": "", "Params": {}},
            "Env": {},
            "Meta": {"step": "1"},
            "InputSources": [
                {
                    "Source": {"Type": "s3", "Params": {"Bucket": "b", "Size": 10}},
                    "Alias": "",
                    "Target": "/in",
                }
            ],
            "ResultPaths": [],
            "Resources": {"CPU": "", "Memory": "", "Disk": "", "GPU": ""},
            "Network": {"Type": "None"},
            "Timeouts": {"ExecutionTimeout": 1800},
        }
    ],
    "State": {"StateType": "Completed", "Message": ""},
    "Version": 0,
    "Revision": 2,
    "CreateTime": 1695883778909107178,
    "ModifyTime": 1695883779369191994,
}

V1_5_2: dict[str, Any] = CURRENT | {
    "Meta": {
        "bacalhau.org/client.installation.id": "ci",
        "bacalhau.org/client.instance.id": "cn",
        "bacalhau.org/orchestrator.id": "n-1",
        "bacalhau.org/orchestrator.protocol": "nclprotocol/v1",
        "bacalhau.org/requester.id": "n-1",
        "bacalhau.org/server.installation.id": "si",
        "bacalhau.org/server.instance.id": "sn",
    }
}

SPEC: dict[str, Any] = {
    "Name": "docker-job",
    "Type": "batch",
    "Count": 1,
    "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "busybox"}}}],
}

V1_SPEC: dict[str, Any] = {
    "Engine": "Docker",
    "Verifier": "Noop",
    "Publisher": "Estuary",
    "PublisherSpec": {"Type": "Estuary"},
    "Docker": {"Entrypoint": ["date"], "Image": "ubuntu"},
    "Language": {"JobContext": {}},
    "Wasm": {"EntryModule": {}},
    "Resources": {"GPU": ""},
    "Timeout": 1800,
    "Annotations": ["canary", "nightly"],
    "Deal": {"Concurrency": 3},
    "inputs": [{"CID": "QmfKJT13h5k1b23ja3ZCVg5nFL9oKz2bVXc8oXgtwiwhjz", "path": "/files"}],
    "outputs": [{"Name": "outputs", "StorageSource": "IPFS", "path": "/outputs"}],
}
V1_JOB: dict[str, Any] = {
    "APIVersion": "V1beta1",
    "Metadata": {
        "ClientID": CLIENT,
        "CreatedAt": "2023-05-03T11:46:26.767484787Z",
        "ID": "61e542a7-bea1-4382-b3c9-40050d143ad6",
        "Requester": {"RequesterNodeID": REQUESTER, "RequesterPublicKey": REQUESTER_KEY},
    },
    "Spec": V1_SPEC,
}
V1_WRAPPED: dict[str, Any] = {
    "Job": V1_JOB,
    "State": {
        "CreateTime": "2023-05-03T11:46:26.767504591Z",
        "Executions": [
            {
                "AcceptedAskForBid": True,
                "ComputeReference": "e-37a9de63-8bf2-4d83-932f-29fdf98c5274",
                "CreateTime": "2023-05-03T11:46:35.551431968Z",
                "JobID": "61e542a7-bea1-4382-b3c9-40050d143ad6",
                "NodeId": "QmYgxZiySj3MRkwLSL4X2MF5F9f2PMhAE3LV49XkfNL1o3",
                "State": "Completed",
                "UpdateTime": "2023-05-03T11:46:35.543450963Z",
                "Version": 6,
            }
        ],
        "JobID": "61e542a7-bea1-4382-b3c9-40050d143ad6",
        "State": "Completed",
        "TimeoutAt": "0001-01-01T00:00:00Z",
        "UpdateTime": "2023-05-03T11:46:35.551464593Z",
        "Version": 5,
    },
    "History": [
        {
            "Type": "ExecutionLevel",
            "JobID": "61e542a7-bea1-4382-b3c9-40050d143ad6",
            "NodeID": "QmYgxZiySj3MRkwLSL4X2MF5F9f2PMhAE3LV49XkfNL1o3",
            "ComputeReference": "e-37a9de63-8bf2-4d83-932f-29fdf98c5274",
            "ExecutionState": {"Previous": "New", "New": "AskForBid"},
            "NewVersion": 2,
            "Comment": "asked",
            "Time": "2023-05-03T11:46:27.352803607Z",
        }
    ],
}
NODE = "QmVAb7r2pKWCuyLpYWoZr9syhhFnTWeFaByHdb8PkkhLQG"
SHARDS: dict[str, Any] = {
    "Nodes": {
        NODE: {
            "Shards": {
                "0": {
                    "NodeId": NODE,
                    "State": 7,
                    "Status": "Got results proposal of length: 0",
                }
            }
        }
    }
}
STATUS_JOB: dict[str, Any] = {
    "APIVersion": "V1beta1",
    "Metadata": {
        "ClientID": CLIENT,
        "CreatedAt": "2022-12-14T11:01:02.501686348Z",
        "ID": "bde362b4-cc5a-4c3a-8042-122cc3c0c2ea",
    },
    "Spec": V1_SPEC,
    "Status": {
        "JobState": SHARDS,
        "Requester": {"RequesterNodeID": REQUESTER, "RequesterPublicKey": REQUESTER_KEY},
    },
}
FLAT_JOB: dict[str, Any] = {
    "JobAPIVersion": "",
    "ID": "cf10a68c-9fb7-41fa-991b-a736cbf6277f",
    "RequesterNodeID": REQUESTER,
    "RequesterPublicKey": REQUESTER_KEY,
    "ClientID": CLIENT,
    "Spec": {
        "Engine": 2,
        "Verifier": 1,
        "Publisher": 4,
        "Docker": {"Image": "jsacex/kipoi-veff2:py37", "Entrypoint": ["kipoi_veff2_predict"]},
        "outputs": [{"Engine": 1, "Name": "outputs", "path": "/outputs"}],
    },
    "Deal": {"Concurrency": 1},
    "CreatedAt": "2022-10-02T11:01:31.607336716Z",
    "JobState": SHARDS,
}
CREATED: dict[str, Any] = {
    "APIVersion": "V1beta1",
    "JobID": "9304c616-291f-41ad-b862-54e133c0149e",
    "ClientID": CLIENT,
    "SourceNodeID": REQUESTER,
    "EventName": "Created",
    "Spec": V1_SPEC,
    "JobExecutionPlan": {"ShardsTotal": 1},
    "Deal": {"Concurrency": 1},
    "EventTime": "2022-11-17T13:32:55.331375351Z",
    "SenderPublicKey": REQUESTER_KEY,
}
ACCEPTED: dict[str, Any] = {
    "JobID": "9304c616-291f-41ad-b862-54e133c0149e",
    "SourceNodeID": REQUESTER,
    "TargetNodeID": "QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVL",
    "EventName": 11,
    "Spec": {"Docker": {}, "Language": {"JobContext": {}}, "Sharding": {}},
    "Status": "fine",
    "EventTime": "2022-11-17T13:32:55.707825569Z",
    "SenderPublicKey": [9, 9],
}
SNAKE_V1: dict[str, Any] = {
    "job": {
        "api_version": "V1beta1",
        "metadata": {
            "client_id": CLIENT,
            "created_at": "2023-05-03T11:46:26.767484787Z",
            "id": "61e542a7-bea1-4382-b3c9-40050d143ad6",
            "requester": {"requester_node_id": REQUESTER, "requester_public_key": REQUESTER_KEY},
        },
        "spec": V1_SPEC,
    }
}
EXECUTION: dict[str, Any] = {
    "ID": "e-cdd9fb3e-3183-4069-8bc9-679b6bcce4db",
    "Namespace": "default",
    "EvalID": "",
    "NodeID": "QmYgxZiySj3MRkwLSL4X2MF5F9f2PMhAE3LV49XkfNL1o3",
    "JobID": "j-d586d2cc-6fc9-42c4-9dd9-a78df1d7cd01",
    "DesiredState": {"StateType": 2, "Message": "execution completed"},
    "ComputeState": {"StateType": 7, "Message": ""},
    "RunOutput": {"stdout": "hello world\n", "exitCode": 0},
    "Revision": 6,
    "CreateTime": 1695886565851709698,
    "ModifyTime": 1695886566370340241,
}
HISTORY: dict[str, Any] = {
    "Type": "ExecutionLevel",
    "JobID": "j-d586d2cc-6fc9-42c4-9dd9-a78df1d7cd01",
    "NodeID": "QmUDAXvv31WPZ8U9CzuRTMn9iFGiopGE7rHiah1X8a6PkT",
    "ExecutionID": "e-82f7813f-58da-4323-8261-886af35284c4",
    "JobState": None,
    "ExecutionState": {"Previous": 5, "New": 7},
    "NewRevision": 6,
    "Comment": "",
    "Time": "2023-09-28T07:23:02.483265228Z",
}
HISTORY_V1_5: dict[str, Any] = {
    "SeqNum": 3,
    "Type": "JobLevel",
    "JobID": "j-d586d2cc-6fc9-42c4-9dd9-a78df1d7cd01",
    "JobVersion": 1,
    "Event": {
        "Message": "Job submitted",
        "Topic": "Submission",
        "Timestamp": "2024-11-28T07:23:02.5Z",
        "Details": {"NewState": "Pending"},
    },
    "Time": "2024-11-28T07:23:03Z",
}

ALL: dict[str, dict[str, Any]] = {
    "current": CURRENT,
    "v1.5.2": V1_5_2,
    "spec": SPEC,
    "submit": {"Job": SPEC, "Force": False},
    "v1 job": V1_JOB,
    "v1 wrapped": V1_WRAPPED,
    "v1 spec": {"APIVersion": "V1beta1", "Spec": V1_SPEC},
    "bare spec": V1_SPEC,
    "status job": STATUS_JOB,
    "flat job": FLAT_JOB,
    "created": CREATED,
    "accepted": ACCEPTED,
    "snake v1": SNAKE_V1,
    "execution": EXECUTION,
    "history": HISTORY,
    "history v1.5": HISTORY_V1_5,
}
