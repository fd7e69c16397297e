"""Objects of object stores (`s3://`, `gs://`, `az://`) and files behind `https://`, as sources.

The library of object stores is obstore (docs/adr/0011-obstore.md), an extra: it is imported when
one is named.
"""

from meta_audit.sources.object_stores.listing import check_objects, find_objects
from meta_audit.sources.object_stores.object_folder import ObjectFolder
from meta_audit.sources.object_stores.object_url import ObjectUrl, is_object_url

__all__ = ["ObjectFolder", "ObjectUrl", "check_objects", "find_objects", "is_object_url"]
