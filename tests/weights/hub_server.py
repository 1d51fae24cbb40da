"""A loopback server that implements the parts of the Hugging Face Hub API used here."""

import base64
import hashlib
import http.server
import json
import re
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".keras", ".bin", ".pth")


def is_large(name):
    """Whether a repository identifies a file by the SHA-256 of its content."""
    return name.endswith(LARGE)


def etag(name, content):
    if is_large(name):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubServer(http.server.ThreadingHTTPServer):
    """`repositories` holds `{name: {path: bytes}}`; `faults` one fault per GET, by path."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}
        self.faults = {}
        self.requests = []
        self.uploaded = {}
        self.commits = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def gets(self, name):
        return sum(method == "GET" and path.endswith(name) for method, path in self.requests)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.respond("HEAD")

    def do_GET(self):
        self.respond("GET")

    def do_POST(self):
        self.respond("POST")

    def do_PUT(self):
        self.respond("PUT")

    def respond(self, method):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.server.requests.append((method, path))
        body = self.body() if method in ("POST", "PUT") else b""
        for pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                handler(self, method, body, **match.groupdict())
                return
        self.refuse(404, "EntryNotFound")

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", f"{code} sent by the server")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def json(self, value):
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def tree(handler, method, body, repository, revision):
    files = handler.server.repositories.get(repository)
    if files is None:
        handler.refuse(404, "RepoNotFound")
    elif revision not in ("main", COMMIT):
        handler.refuse(404, "RevisionNotFound")
    else:
        handler.json([entry(name, content) for name, content in files.items()])


def entry(name, content):
    facts = {"type": "file", "oid": etag(name, content)[:40], "size": len(content), "path": name}
    if is_large(name):
        facts["lfs"] = {"oid": etag(name, content), "size": len(content), "pointerSize": 100}
    return facts


def resolve(handler, method, body, repository, revision, name):
    server = handler.server
    content = server.repositories.get(repository, {}).get(name)
    faults = server.faults.get(name, []) if method == "GET" else []
    fault = faults.pop(0) if faults else None
    if content is None or isinstance(fault, int):
        handler.refuse(fault or 404, "EntryNotFound")
        return
    tag = etag(name, content)
    if fault == "wrong":
        content = content[::-1]
    byte_range = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    start = int(byte_range[1]) if byte_range else 0
    handler.send_response(206 if byte_range else 200)
    handler.send_header("X-Repo-Commit", COMMIT)
    handler.send_header("ETag", f'"{tag}"')
    handler.send_header("Content-Length", str(len(content) - start))
    if byte_range:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    if fault == "truncated":
        handler.close_connection = True
    handler.end_headers()
    if method == "GET":
        body = content[start:]
        handler.wfile.write(body[: len(body) // 2] if fault == "truncated" else body)
        if fault == "slow":
            time.sleep(1)


def create(handler, method, body):
    facts = json.loads(body)
    name = (
        f"{facts['organization']}/{facts['name']}" if facts.get("organization") else facts["name"]
    )
    handler.server.repositories.setdefault(name, {})
    handler.json({"url": f"{handler.server.url}/{name}"})


def validate(handler, method, body):
    handler.json({"errors": [], "warnings": []})


def preupload(handler, method, body, repository):
    files = json.loads(body)["files"]
    modes = [
        {"path": file["path"], "uploadMode": "lfs" if is_large(file["path"]) else "regular",
         "shouldIgnore": False}
        for file in files
    ]  # fmt: skip
    handler.json({"files": modes})


def batch(handler, method, body, repository):
    objects = []
    for item in json.loads(body)["objects"]:
        href = f"{handler.server.url}/upload/{item['oid']}"
        objects.append({**item, "actions": {"upload": {"href": href, "header": {}}}})
    handler.json({"transfer": "basic", "objects": objects})


def upload(handler, method, body, digest):
    handler.server.uploaded[digest] = body
    handler.json({})


def commit(handler, method, body, repository):
    files = handler.server.repositories[repository]
    for line in body.decode().splitlines():
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "header":
            handler.server.commits.append(value["summary"])
        elif item["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif item["key"] == "lfsFile":
            files[value["path"]] = handler.server.uploaded[value["oid"]]
    handler.json(
        {"commitUrl": f"{handler.server.url}/{repository}/commit/{COMMIT}", "commitOid": COMMIT,
         "hookOutput": ""}
    )  # fmt: skip


def info(handler, method, body, repository, revision=None):
    files = handler.server.repositories.get(repository)
    if files is None:
        handler.refuse(404, "RepoNotFound")
        return
    siblings = [{"rfilename": name} for name in files]
    handler.json({"id": repository, "sha": COMMIT, "siblings": siblings, "tags": [],
                  "private": False, "downloads": 0, "likes": 0})  # fmt: skip


REPOSITORY = r"(?P<repository>[^/]+/[^/]+)"
ROUTES = (
    (rf"/api/models/{REPOSITORY}/tree/(?P<revision>[^/]+)", tree),
    (rf"/api/models/{REPOSITORY}/preupload/[^/]+", preupload),
    (rf"/api/models/{REPOSITORY}/commit/[^/]+", commit),
    (rf"/api/models/{REPOSITORY}/revision/(?P<revision>[^/]+)", info),
    (rf"/api/models/{REPOSITORY}", info),
    (r"/api/repos/create", create),
    (r"/api/validate-yaml", validate),
    (rf"/{REPOSITORY}\.git/info/lfs/objects/batch", batch),
    (r"/upload/(?P<digest>[0-9a-f]{64})", upload),
    (rf"/{REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", resolve),
)
