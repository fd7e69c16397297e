"""Names that no index would take."""

import pytest

from meta_audit.errors import RejectedError
from meta_audit.model import MAX_NAME
from meta_audit.parse import parse


def job(**fields: object) -> dict[str, object]:
    tasks = [{"Name": "main", "Engine": {"Type": "docker"}}]
    return {"ID": "j-1", "Namespace": "default", "Type": "batch", "Tasks": tasks, **fields}


@pytest.mark.parametrize("field", ["ID", "Namespace"])
def test_a_name_of_the_greatest_length_is_taken_and_one_more_is_not(field: str) -> None:
    longest = "é" * MAX_NAME
    record = parse(job(**{field: longest}), b"")
    assert longest in (record.job_id, record.namespace)
    with pytest.raises(RejectedError, match=field) as caught:
        parse(job(**{field: longest + "x"}), b"")
    assert caught.value.reason == "field.too_long"
