"""A Hub on loopback: the few routes that its client needs to list and fetch the files of a model."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.errors import ModelError

BERT = REFERENCE / "bert"
VARIABLES = (
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_TOKEN",
    "HF_ENDPOINT",
    "ATTNVIZ_MODEL",
)
TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(66)} | {"[UNK]": 66}, "unk_token": "[UNK]"},
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """One model, `org/tiny`, with branch main and tag v2 at one commit.

    files: path -> bytes. log: (method, path) of every request. tokens: Authorization headers seen. refuse: path, or ""
    for the list of files -> (status, X-Error-Code). claims: path -> a false size in the list. on_get: called with the
    path before a file is sent. faults: (method, end of the path) -> the fault: "hangs", "resets" (nothing is sent),
    "breaks" (half of the file), or a status. headers: additional ones for every file.
    """

    def __init__(self, files):
        self.files, self.log, self.tokens = dict(files), [], set()
        self.refuse, self.claims = {}, {}
        self.commit, self.on_get = COMMIT, lambda path: None
        self.faults, self.headers, self.released = {}, {}, threading.Event()

    def fault(self, method, path):
        """The fault of a request: a word, a status, or ''."""
        return next((what for (verb, end), what in self.faults.items() if verb == method and path.endswith(end)), "")

    def fetched(self):
        """The files that were sent, in order."""
        sent = [path.split("/resolve/")[1] for method, path in self.log if method == "GET" and "/resolve/" in path]
        return [path.split("/", 1)[1] for path in sent]

    def answer(self, method, target, token):
        """(status, headers, body) of a request."""
        path = unquote(urlsplit(target).path)
        self.log.append((method, path))
        self.tokens.add(token)
        if path.startswith("/api/models/org/tiny"):
            return self._listing(path.removeprefix("/api/models/org/tiny"))
        if path.startswith("/org/tiny/resolve/"):
            revision, file = path.removeprefix("/org/tiny/resolve/").split("/", 1)
            return self._file(revision, file)
        return 404, {"X-Error-Code": "RepoNotFound"}, b""

    def _listing(self, rest):
        revision = rest.removeprefix("/revision/") or "main"
        status, code = self.refuse.get("", (0, ""))
        if status:
            return status, {"X-Error-Code": code} if code else {}, b"{}"
        if revision not in ("main", "v2", self.commit):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        siblings = [{"rfilename": name, "size": self.claims.get(name, len(data))} for name, data in self.files.items()]
        body = json.dumps({"id": "org/tiny", "sha": self.commit, "siblings": siblings}).encode()
        return 200, {"Content-Type": "application/json"}, body

    def _file(self, revision, file):
        status, code = self.refuse.get(file, (0, ""))
        headers = {"X-Repo-Commit": self.commit}
        if status:
            return status, {**headers, "X-Error-Code": code}, b""
        if revision not in ("main", "v2", self.commit):
            return 404, {**headers, "X-Error-Code": "RevisionNotFound"}, b""
        if file not in self.files:
            return 404, {**headers, "X-Error-Code": "EntryNotFound"}, b""
        data = self.files[file]
        return 200, {**headers, "ETag": f'"{hashlib.sha1(data).hexdigest()}"', **self.headers}, data


@contextmanager
def serving(hub):
    """The address of a Hub that runs until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status, headers, body = hub.answer(self.command, self.path, self.headers.get("Authorization"))
            fault = hub.fault(self.command, urlsplit(self.path).path)
            if fault == "hangs":
                hub.released.wait(30)
            if fault in ("hangs", "resets"):
                self.close_connection = True
                return
            if isinstance(fault, int):
                status, body, headers = fault, b"", {**headers, "Retry-After": "3600"}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                hub.on_get(self.path)
                self.wfile.write(body[: len(body) // 2] if fault == "breaks" else body)
                self.close_connection = fault == "breaks"

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty cache, without the user's own settings."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def files():
    """The files of a published model, most of which attnviz does not need."""
    return {
        ".gitattributes": b"",
        "README.md": b"# tiny",
        "config.json": (BERT / "config.json").read_bytes(),
        "model.safetensors": (BERT / "model.safetensors").read_bytes(),
        "pytorch_model.bin": b"never read",
        "tf_model.h5": b"never read",
        "onnx/model.onnx": b"never read",
        "onnx/config.json": b"never read",
        "generation_config.json": b"{}",
        "tokenizer.json": json.dumps(TOKENIZER).encode(),
        "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer"}',
        "vocab.txt": b"never read",
    }


@pytest.fixture
def server(files, home, monkeypatch):
    """A Hub with one model, where the client will look for it."""
    hub = Hub(files)
    with serving(hub) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub


def lay_out(cache, files, name="org/tiny", revision="main", commit=COMMIT):
    """A snapshot as the Hub's client keeps it: blobs by their digest, links to them, a reference by name."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    snapshot = folder / "snapshots" / commit
    for i, (file, data) in enumerate(files.items()):
        blob = folder / "blobs" / f"{i:040x}"
        blob.write_bytes(data)
        link = snapshot / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    reference = folder / "refs" / revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(commit)
    return snapshot


def complaint(source, kind=ModelError, **options):
    """(message, hint) of a failed load, each one line."""
    with pytest.raises(kind) as caught:
        attnviz.load(source, **options)
    assert "\n" not in str(caught.value) + caught.value.hint
    return str(caught.value), caught.value.hint
