/**
 * What a restored process must do before it serves: be another than its siblings. A process that keeps the original's
 * environment, generators or connections answers with another's secrets, repeats another's tokens, or talks into
 * another's connection.
 */
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { HelpedPython } from "./python.ts";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const hasTorch = spawnSync("python3", ["-c", "import torch"]).status === 0;
if (!hasTorch) console.log("skipped: reseeding of torch: python3-torch is not installed");
/** An address of this machine that is not its loopback: a connection to it counts as one to outside. */
const ownAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
if (ownAddress === undefined) console.log("skipped: closing of connections: there is no network");

const instance = { id: "i-1", hostname: "clone", environment: {} };

describe.skipIf(!hasPython)("environment and secrets", () => {
  it("are the new instance's after a restore, for the model and its children", async () => {
    await using python = await HelpedPython.start("import byom, os, subprocess, time", {
      environment: { MODE: "old", GONE: "yes", TZ: "UTC", OWN: "kept" },
      later: `print(byom.environment["MODE"], os.environ.get("GONE"), os.environ["OWN"], time.tzname[0])
print(subprocess.check_output(["sh", "-c", "echo $MODE $HOSTNAME"], text=True), end="")`,
    });
    const given = { environment: { MODE: "old", GONE: "yes" } };
    await writeFile(join(python.directory, "instance.json"), JSON.stringify(given));
    await python.ask({ do: "prepare" });
    const environment = { MODE: "new", TZ: "XYZ-3" };
    const reply = await python.ask({ do: "restored", instance: { ...instance, environment } });
    expect(reply).toMatchObject({ ok: true });
    expect(reply.did).toContain("timezone");
    expect(await python.again()).toEqual(["new None kept XYZ", "new clone"]);
  });

  it("are read when they are asked for: nothing of them is kept, named in a repr, or found outside", async () => {
    await using python = await HelpedPython.start("import byom", {
      later: `print(dict(byom.instance), list(byom.secrets), byom.secrets.get("TOKEN"), repr(byom.secrets), byom.secrets.get("../instance.json"))`,
    });
    const [before] = await python.again();
    expect(before).toMatch(
      /^\{'hostname': '.+', 'start': 'cold'\} \[\] None byom.secrets\(\) None$/,
    );
    await mkdir(join(python.directory, "secrets"));
    await writeFile(join(python.directory, "secrets/TOKEN"), "a ö secret");
    const facts = { id: "i-1", environment: { MODE: "new" } };
    await writeFile(join(python.directory, "instance.json"), JSON.stringify(facts));
    expect(await python.again()).toEqual([
      "{'id': 'i-1'} ['TOKEN'] a ö secret byom.secrets(TOKEN) None",
    ]);
  });
});

describe.skipIf(!hasPython)("hooks", () => {
  it("may be decorated methods, and run once with the object of their class", async () => {
    await using python = await HelpedPython.start(
      `
import sys, types
from byom import after_restore, before_snapshot
module = sys.modules["__main__"]; module.__file__ = "/src/predict.py"
class Predictor:
    def __init__(self): self.name = "mine"
    @before_snapshot
    async def before_snapshot(self): print("before", self.name, flush=True)
    @after_restore
    def connect(self, instance): print("connect", self.name, instance["id"], flush=True)
    @classmethod
    async def after_restore(cls, instance): print("after", cls.__name__, instance["hostname"], flush=True)
predictor = Predictor()`,
      { environment: { COG_PREDICT_TYPE_STUB: "predict.py:Predictor" } },
    );
    expect(await python.ask({ do: "prepare" })).toMatchObject({
      ok: true,
      hooks: [{ name: "Predictor.before_snapshot" }],
    });
    expect(await python.ask({ do: "restored", instance })).toMatchObject({
      ok: true,
      hooks: [{ name: "Predictor.connect" }, { name: "predictor.after_restore" }],
    });
    expect(await python.printed(3)).toEqual([
      "before mine",
      "connect mine i-1",
      "after Predictor clone",
    ]);
  });

  it("that hang are named with the line where they stand, and the process can still be asked", async () => {
    await using python = await HelpedPython.start(`
import threading
from byom import after_restore
@after_restore
def stuck():
    threading.Event().wait()
`);
    const reply = await python.ask({ do: "restored", instance, timeoutMs: 300 });
    expect(reply.ok).toBe(false);
    expect(reply.errors.join()).toMatch(/^stuck: did not end within 0.3 s, it is at .*:\d+$/);
    expect(await python.ask({ do: "ping" })).toMatchObject({ ok: true });
  });
});

describe.skipIf(!hasPython)("generators", () => {
  /** What two clones print whose memory was the same at the capture: a fork has it, too. */
  it("of every kind go different ways in two processes with the same memory", async () => {
    await using python = await HelpedPython.start(`
import ctypes, os, random, ssl, tempfile, uuid
random.seed(1)
own = random.Random(1)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ssl.RAND_bytes(4)
uuid.uuid1()
libc = ctypes.CDLL(None)
libc.srandom(1)
from byom import _openssl, _reseed
_reseed.find()
found = _reseed._found
def ticket_keys():
    library = ctypes.CDLL(_openssl._mapped("libssl")[0]) if len(_openssl._mapped("libssl")) == 1 else None
    if library is None:
        return os.urandom(8).hex()
    library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
    buffer = ctypes.create_string_buffer(80)
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    assert library.SSL_CTX_ctrl(pointer, 58, 80, buffer) == 1
    return buffer.raw.hex()
def draw():
    return [random.random(), own.random(), ssl.RAND_bytes(8).hex(), uuid.uuid1().node, libc.random(), ticket_keys()]
same = []
for _ in range(2):
    _reseed._found = found
    random.setstate(random.Random(1).getstate()); own.setstate(random.getstate()); libc.srandom(1)
    same.append([random.random(), own.random(), libc.random()])
    did, errors = _reseed.reseed_all()
    print(*draw(), "|", *did, "|", *errors, flush=True)
assert same[0] == same[1], same
`);
    const [first = "", second = ""] = python.lines;
    const draws = [first, second].map((line) => line.split(" | ")[0]?.split(" ") ?? []);
    expect(first.split(" | ")[1]).toBe("random uuid ssl tempfile libc |");
    for (const [index, drawn] of (draws[0] ?? []).entries()) {
      expect(draws[1]?.[index], `draw ${index}`).not.toBe(drawn);
    }
    expect(draws[0]).toHaveLength(6);
  });

  it.skipIf(!hasTorch)("of torch, its own and those that a model holds", async () => {
    await using python = await HelpedPython.start(`
import torch
class Holder: pass
holder = Holder(); holder.generator = torch.Generator()
from byom import _reseed
def state():
    torch.manual_seed(1); holder.generator.manual_seed(1)
    did, errors = _reseed.reseed_all()
    assert "torch" in did and not errors, errors
    return float(torch.rand(1)), float(torch.rand(1, generator=holder.generator))
print(*state(), *state(), flush=True)
`);
    const drawn = python.lines[0]?.split(" ") ?? [];
    expect(new Set(drawn).size).toBe(4);
  });
});

describe.skipIf(!hasPython || ownAddress === undefined)("connections", () => {
  it("to outside are closed and told; what waits on one wakes, and those inside and inbound stay", async () => {
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket.on("error", () => {})));
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", () => resolve()));
    const { port } = server.address() as { port: number };
    // A connection to the own machine's address has its other end here, and this server's port is not the process's.
    await using python = await HelpedPython.start(
      `
import socket, threading
# Its server's port counts as its own where both share a network namespace: let it look at the client's end only.
from byom import _connections
outside = socket.create_connection(("${ownAddress}", ${port}))
inside = socket.create_connection(("127.0.0.1", ${port}))
woken = threading.Event()
def wait():
    try: outside.recv(1)
    except OSError: pass
    woken.set()
threading.Thread(target=wait, daemon=True).start()
from byom import after_restore
@after_restore
def told(instance): print(instance["closedConnections"], flush=True)
`,
      {
        later: `print(woken.wait(5))
try: print(outside.send(b"x"))
except OSError as error: print(type(error).__name__)
print(inside.send(b"x"))`,
      },
    );
    const remote = `${ownAddress}:${port}`;
    expect(await python.ask({ do: "prepare" })).toMatchObject({ ok: true, closed: [remote] });
    expect(python.stderr).toContain(`byom: closed for the snapshot: ${remote}.`);
    // Which of the two depends on whether the other end answered already.
    expect(await python.again()).toEqual([
      "True",
      expect.stringMatching(/^(?:BrokenPipe|ConnectionReset)Error$/),
      "1",
    ]);
    await python.ask({ do: "restored", instance });
    expect((await python.printed(4)).at(-1)).toBe(`['${remote}']`);
    for (const socket of accepted) socket.destroy();
    server.close();
  });
});
