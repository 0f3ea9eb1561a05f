"""What is to be stolen or harmed: a home, a data directory, another session's files, services and a process.

All of it is made below one folder and on loopback. Each place holds a secret of its own, so a leak names its source.
"""

import asyncio
import contextlib
import ctypes
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

VICTIM = """
import sys, time
kept = "canary-" + "memory-" + sys.argv[2]
opened = open(sys.argv[1])
print("ready", flush=True)
time.sleep(3600)
"""
HOME_FILES = (
    ".netrc",
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".kube/config",
    ".git-credentials",
    ".gitconfig",
    ".config/longshift/config.toml",
    ".bash_history",
    ".bashrc",
)
_FORMS = {
    ".gitconfig": "[credential]\n\thelper = store\n[user]\n\tname = {}\n",
    ".config/longshift/config.toml": "# {}\n",
    ".git-credentials": "https://agent:{}@git.example.org\n",
}
READ_SECONDS = 0.5
_SHM_CREATE, _SHM_REMOVE = 0o1000 | 0o600, 0
_ADD_KEY, _SESSION_RING, _USER_RING = 248, -3, -4


@dataclass
class Scene:
    """A host with something to lose."""

    folder: Path
    is_live: bool = False
    """The data directory is that of a running daemon: what it keeps itself is neither planted nor watched."""
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    """By place."""
    received: list[bytes] = field(default_factory=list[bytes])
    """What reached the services on loopback."""
    port: int = 0
    victim: "subprocess.Popen[str] | None" = None
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def home(self) -> Path:
        """The home of the worker's user."""
        return self.folder / "home"

    @property
    def data(self) -> Path:
        """The worker's data directory."""
        return self.folder / "data"

    @property
    def outside(self) -> Path:
        """A folder of the host where no session has anything to do."""
        return self.folder / "outside"

    @property
    def other(self) -> Path:
        """The tree of another session."""
        return self.data / "workspaces" / "other" / "tree"

    @property
    def environment(self) -> dict[str, str]:
        """Of the worker: the scene's home, and secrets in variables."""
        return {"HOME": str(self.home), "AWS_SECRET_ACCESS_KEY": self.secrets["environment"]}

    def places(self, mark: str, *, engine: int = 0, model: int = 0) -> dict[str, str]:
        """What stands in the scripts for this scene, by the word between the at signs."""
        assert self.victim is not None
        return {
            "HOME": str(self.home),
            "DATA": str(self.data),
            "OTHER": str(self.other),
            "OUTSIDE": str(self.outside),
            "SITE": str(self.outside / "site"),
            "PORT": str(self.port),
            "ENGINE": str(engine or self.port),
            "MODEL": str(model or self.port),
            "SOCKET": str(self.folder / "services" / "agent.sock"),
            "DOCKER": str(self.folder / "services" / "docker.sock"),
            "ABSTRACT": f"longshift-{self.nonce}",
            "KEYNAME": f"longshift-{self.nonce}",
            "SHMKEY": str(int(self.nonce[:7], 16)),
            "PID": str(self.victim.pid),
            "HOSTNAME": socket.gethostname(),
            "PYTHON": sys.executable,
            "MARK": mark,
        }

    def secret(self, place: str) -> str:
        """The secret of a place, made at the first question."""
        return self.secrets.setdefault(place, f"canary-{place}-{self.nonce}")

    def lay_out(self) -> None:
        """Write all files as they were, whatever a script has done to them."""
        for folder in (self.home, self.outside, self.other):
            shutil.rmtree(folder, ignore_errors=True)
        for name in HOME_FILES:
            secret = self.secret("home-" + name.strip(".").replace("/", "-").replace(".", "-"))
            _write(self.home / name, _FORMS.get(name, "token = '{}'\n").format(secret))
        _write(self.other / "secret.txt", self.secret("other") + "\n")
        _write(self.other / "removable.txt", "removable\n")
        _write(self.outside / "secret.txt", self.secret("outside") + "\n")
        _write(self.outside / "removable.txt", "removable\n")
        _write(self.outside / "editable.txt", "removable\n")
        (self.outside / "site").mkdir()
        _write(self.data / "store" / "other.json", self.secret("store") + "\n")
        if not self.is_live:
            _write(self.data / "engine.json", self.secret("address") + "\n")
            _write(self.data / "engine.db", self.secret("database") + "\n")
        _write(self.data / "runs" / "other" / "r-1" / "spec.json", self.secret("spec") + "\n")
        subprocess.run(["git", "init", "-q", "--bare", str(self.outside / "remote.git")], check=True)

    def fingerprint(self) -> dict[str, str]:
        """Everything of the scene that a script could change, by path."""
        found: dict[str, str] = {}
        own = [] if self.is_live else [self.data / "store"]
        for root in (self.home, self.outside, self.other, self.data / "runs" / "other", *own):
            for place, folders, names in os.walk(root):
                for name in [*folders, *names]:
                    path = Path(place) / name
                    about = path.lstat()
                    body = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                    found[str(path)] = f"{about.st_mode:o} {hashlib.sha256(body).hexdigest()}"
        return found

    def is_unharmed(self) -> bool:
        """Whether the process of the host lives, awake."""
        assert self.victim is not None
        if self.victim.poll() is not None:
            return False
        return Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()[0] in "SRD"

    def start_victim(self) -> None:
        """Start a process of the host that has secrets in its arguments, environment, memory, folder and files."""
        self.end_victim()
        self.victim = subprocess.Popen(
            [
                sys.executable,
                "-IS",
                "-c",
                VICTIM,
                str(self.outside / "secret.txt"),
                self.nonce,
                self.secret("argument"),
            ],
            env={"TOKEN": self.secret("process")},
            cwd=self.home,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.secrets["memory"] = f"canary-memory-{self.nonce}"
        assert self.victim.stdout is not None
        self.victim.stdout.readline()

    def end_victim(self) -> None:
        """End that process."""
        if self.victim is not None:
            self.victim.kill()
            self.victim.communicate()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@asynccontextmanager
async def laid_out(folder: Path, *, is_live: bool = False) -> AsyncGenerator[Scene]:
    """The scene, its services and its process; all of it ends with the block."""
    scene = Scene(folder, is_live)
    scene.secret("environment")
    scene.lay_out()
    async with AsyncExitStack() as services:
        services.callback(scene.end_victim)
        scene.start_victim()
        await _serve(scene, services)
        _share_memory(scene, services)
        yield scene


async def _serve(scene: Scene, services: AsyncExitStack) -> None:
    """Services that answer whoever speaks to them with a secret, and keep what they were sent."""

    def answering(place: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(TimeoutError, OSError):
                writer.write(f"HTTP/1.0 200 OK\r\n\r\n{scene.secret(place)}\n".encode())
                async with asyncio.timeout(READ_SECONDS):
                    scene.received.append(place.encode() + b": " + await reader.read(65_536))
            writer.close()

        return answer

    tcp = await asyncio.start_server(answering("loopback"), "0.0.0.0")  # also on the host's other addresses
    scene.port = tcp.sockets[0].getsockname()[1]
    services.callback(tcp.close)
    folder = scene.folder / "services"
    folder.mkdir()
    for place, name in (("socket", "agent.sock"), ("docker", "docker.sock")):
        services.callback((await asyncio.start_unix_server(answering(place), folder / name)).close)
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0longshift-{scene.nonce}")
    services.callback((await asyncio.start_unix_server(answering("abstract"), sock=abstract)).close)
    datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(scene.received), ("127.0.0.1", scene.port)
    )
    services.callback(datagrams.close)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: list[bytes]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep what came."""
        self._received.append(b"udp: " + data)


def _share_memory(scene: Scene, services: AsyncExitStack) -> None:
    """Secrets in what the processes of one user share without any file."""
    shared = Path("/dev/shm") / f"longshift-{scene.nonce}"
    shared.write_text(scene.secret("shm"))
    services.callback(shared.unlink)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(int(scene.nonce[:7], 16), 4096, _SHM_CREATE)
    if segment >= 0:
        ctypes.memmove(libc.shmat(segment, None, 0), (secret := scene.secret("sysv").encode()), len(secret))
        services.callback(libc.shmctl, segment, _SHM_REMOVE, None)
    key = scene.secret("keyring").encode()
    name = f"longshift-{scene.nonce}".encode()
    for ring in (_SESSION_RING, _USER_RING):
        libc.syscall(_ADD_KEY, b"user", name, key, len(key), ctypes.c_int(ring))
