"""The document store of auth: SecantusDB, which speaks MongoDB's protocol over WiredTiger."""

import asyncio
import sys

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from grove_stack.layout import Layout
from grove_stack.process import Child, ProcessSpec, StepFailed

_ROOT = "grove_root"
START_TRIES = 30
_ADD_AND_READ = [
    "find",
    "insert",
    "createCollection",
    "createIndex",
    "listCollections",
    "listIndexes",
    "killCursors",
]
_ROLES = {
    "auth": ("grove_read_write", [*_ADD_AND_READ, "update", "remove", "dropIndex", "collMod", "changeStream"]),
    "auth_audit": ("grove_append_only", _ADD_AND_READ),
}
"""Database → role of auth's user there, and what it permits. Roles add up, and this server grants by database, so the
audit log has a database of its own, where nothing can be changed. Nor may a collection of the other be renamed, for it
could be put in the place of the log."""

Client = AsyncMongoClient[dict[str, object]]


class MongoDb:
    """The server of a stack: mTLS, and SCRAM sign-in for auth's user."""

    def __init__(self, layout: Layout, port: int) -> None:
        self._layout = layout
        self._port = port
        self._data = layout.root / "mongodb"
        self._users_made = self._data / "users-made"

    def spec(self) -> ProcessSpec:
        """The server process. It can't make its first user while it asks for sign-in; see create_users."""
        return self._spec(auth=True)

    async def create_users(self) -> None:
        """Before the first start: run it alone without sign-in and make the users. What they may do: grant_roles."""
        if self._users_made.exists():
            return
        child = await Child.start(self._spec(auth=False), self._layout.log_file("mongodb"))
        try:
            await self._make_users()
        finally:
            await child.stop()
        self._users_made.touch()

    async def grant_roles(self) -> None:
        """At each start: what auth's user may do, so that a stack that was made before gets today's roles too."""
        client = self.as_root()
        try:
            await _grant(client)
        finally:
            await client.close()

    def as_root(self) -> Client:
        """A client that may do everything."""
        return self._client(_ROOT, self._layout.secret("operator", "mongo_root_password"))

    async def initiate(self) -> None:
        """On a server that was started elsewhere, with its root user: the replica set of one node, and auth's user."""
        client = self.as_root()
        try:
            if not (await client.admin.command("hello")).get("isWritablePrimary"):
                members = [{"_id": 0, "host": "mongodb:27017"}]
                await client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
                for _ in range(150):
                    if (await client.admin.command("hello")).get("isWritablePrimary"):
                        break
                    await asyncio.sleep(0.2)
            await _create(client, "auth", "auth", self._layout.secret("auth", "mongo_password"), "readWrite")
            await _grant(client)
        finally:
            await client.close()

    def _spec(self, *, auth: bool) -> ProcessSpec:
        identity = str(self._layout.identity_file("mongodb"))
        config = self._layout.folder("mongodb") / "secantus.toml"
        config.touch()
        return ProcessSpec(
            name="mongodb",
            command=[
                sys.executable,
                "-m",
                "grove_stack.servers.secantus",
                "--config",
                str(config),
                "--host",
                "127.0.0.1",
                "--port",
                str(self._port),
                "--storage-path",
                str(self._data / "data"),
                "--cache-size",
                "128M",
                "--noop-heartbeat-seconds",
                "10",
                "--tls-cert-file",
                identity,
                "--tls-key-file",
                identity,
                "--tls-ca-file",
                str(self._layout.internal_ca.certificate_file),
                "--tls-require-client-cert",
                *(["--auth"] if auth else []),
            ],
            probe=self._probe,
            address=f"127.0.0.1:{self._port}",
            needs=("mongodb-users",) if auth else (),
        )

    def _client(self, user: str | None = None, password: str | None = None) -> Client:
        return AsyncMongoClient(
            "127.0.0.1",
            self._port,
            directConnection=True,
            tls=True,
            tlsCertificateKeyFile=str(self._layout.identity_file("operator")),
            tlsCAFile=str(self._layout.internal_ca.certificate_file),
            serverSelectionTimeoutMS=3000,
            username=user,
            password=password,
        )

    async def _probe(self) -> str | None:
        client = self._client()
        try:
            await client.admin.command("ping")
        except PyMongoError as error:
            return str(error)[:200]
        finally:
            await client.close()
        return None

    async def _make_users(self) -> None:
        client = self._client()
        try:
            await self._wait()
            root = self._layout.secret("operator", "mongo_root_password")
            await _create(client, "admin", _ROOT, root, "root")
            await _create(client, "auth", "auth", self._layout.secret("auth", "mongo_password"), "readWrite")
        finally:
            await client.close()

    async def _wait(self) -> None:
        problem: str | None = ""
        for _ in range(START_TRIES):
            problem = await self._probe()
            if problem is None:
                return
            await asyncio.sleep(0.5)
        raise StepFailed(f"The MongoDB server does not answer: {problem}. See mongodb.log.")


async def _create(client: Client, database: str, name: str, password: str, role: str) -> None:
    try:
        await client[database].command("createUser", name, pwd=password, roles=[{"role": role, "db": database}])
    except OperationFailure as error:
        if "already exists" not in str(error):
            raise


async def _grant(client: Client) -> None:
    for database, (role, actions) in _ROLES.items():
        privileges = [{"resource": {"db": database, "collection": ""}, "actions": actions}]
        try:
            await client[database].command("createRole", role, privileges=privileges, roles=[])
        except OperationFailure as error:
            if "already exists" not in str(error):
                raise
            await client[database].command("updateRole", role, privileges=privileges, roles=[])
    roles = [{"role": role, "db": database} for database, (role, _) in _ROLES.items()]
    await client["auth"].command("updateUser", "auth", roles=roles)
