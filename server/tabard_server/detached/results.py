# SPDX-License-Identifier: Apache-2.0
"""Where finished images lie: in the server's folder, or in the bucket of the caller's namespace.

In: images. Out: the same. The server never removes what it wrote into somebody's bucket. Blocks.
"""

from collections.abc import Callable, Mapping

from tabard_registry import RegistryError
from tabard_registry.store.store import Store
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.record import JobRecord, KeptImage
from tabard_server.errors import JobNotKept, JobUnknown, invalid

_PROVENANCE_BYTES_MAX = 1 << 22


class Results:
    """The images of detached jobs. Any thread."""

    def __init__(
        self, folder: JobFolder, *, urls: Mapping[str, str], open_store: Callable[[str], Store]
    ) -> None:
        """Take the folder, and where each namespace has its images.

        Args:
            folder: The server's own.
            urls: By namespace.
            open_store: Opens such a place; called when it is needed first.
        """
        self._folder = folder
        self._urls = urls
        self._open_store = open_store
        self._stores: dict[str, Store] = {}

    def check(self, namespace: str) -> None:
        """Refuse a namespace that has no place for images.

        Raises:
            InvalidRequest: It is so.
        """
        if namespace not in self._urls:
            raise invalid(
                "detach.namespace",
                f"the images of {namespace} have no place of their own here",
                reason="JOB_PLACE_UNKNOWN",
                hint="leave it out, or have one set (jobs.places)",
            )

    def put(self, record: JobRecord, *, index: int, content: bytes, provenance: str) -> None:
        """Keep an image.

        Raises:
            JobNotKept: It cannot be kept.
        """
        if not record.place:
            self._folder.put_image(record.id, index=index, content=content, provenance=provenance)
            return
        store = self._store(record.place)
        try:
            store.replace(f"{record.id}/{index}.json", body=provenance.encode())
            store.replace(_key(record, index=index), body=content)
        except RegistryError as error:
            raise _not_kept(error) from error

    def get(self, record: JobRecord, image: KeptImage) -> tuple[bytes, str]:
        """Return an image and its provenance.

        Raises:
            JobNotKept: It cannot be read.
            JobUnknown: It is not where it was written.
        """
        if not record.place:
            return self._folder.image(record.id, index=image.index)
        store = self._store(record.place)
        try:
            content = store.read(_key(record, index=image.index), bytes_max=image.byte_count)
            told = store.read(f"{record.id}/{image.index}.json", bytes_max=_PROVENANCE_BYTES_MAX)
        except RegistryError as error:
            raise _not_kept(error) from error
        if content is None or told is None:
            raise JobUnknown(
                "the image is not in the bucket any more", hint="somebody removed it there"
            )
        return content, told.decode()

    def _store(self, namespace: str) -> Store:
        if namespace not in self._urls:
            raise JobNotKept(
                f"the images of {namespace} have no place any more",
                hint="tell whoever looks after the server (jobs.places)",
            )
        if namespace not in self._stores:
            try:
                self._stores[namespace] = self._open_store(self._urls[namespace])
            except RegistryError as error:
                raise _not_kept(error) from error
        return self._stores[namespace]


def _key(record: JobRecord, *, index: int) -> str:
    return f"{record.id}/{index}"


def _not_kept(error: RegistryError) -> JobNotKept:
    return JobNotKept(
        f"the bucket does not keep images: {error}",
        hint="tell whoever looks after the server (jobs.places)",
    )
