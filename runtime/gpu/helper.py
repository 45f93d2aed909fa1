"""Moves device memory of CUDA processes for byom: one line of JSON in, one out, until standard input ends.

One process for the life of the platform, because cuInit takes seconds on a machine with many GPUs, and because an
initialised driver stays loaded. It makes no context of its own, so it takes no device memory. Requests run in a
thread each: a call that the driver does not come back from holds up no other.

    {"id": 1, "do": "facts"}
    {"id": 2, "do": "lock", "pid": 4711, "timeoutMs": 10000}
    {"id": 3, "do": "restore", "pid": 4711, "pairs": [["GPU-…old", "GPU-…new"]]}

An answer is ``{"id": 1, "ok": true, …}`` or ``{"id": 2, "ok": false, "call": "cuCheckpointProcessLock",
"status": 600, "message": "CUDA_ERROR_NOT_READY"}``.

Structures and values are those of cuda.h 12.8 to 13.x (CUDA driver API, "CUDA Checkpointing") and nvml.h 12.x.
Needs nothing but Python 3.7 and the driver's libraries.
"""

import ctypes
import json
import os
import sys
import threading

_UUID_BYTES = 16
_NVML_TEXT_BYTES = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE; every other text of NVML is shorter
_NVML_NOT_SUPPORTED = 3
_NVML_INSUFFICIENT_SIZE = 7
_UNKNOWN_BYTES = 2**64 - 1  # NVML_VALUE_NOT_AVAILABLE
_STATES = {0: "running", 1: "locked", 2: "checkpointed", 3: "failed"}
_ERROR_NAMES = {  # cuda.h, CUresult: for drivers whose cuGetErrorName does not answer
    1: "CUDA_ERROR_INVALID_VALUE",
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    100: "CUDA_ERROR_NO_DEVICE",
    401: "CUDA_ERROR_ILLEGAL_STATE",
    600: "CUDA_ERROR_NOT_READY",
    801: "CUDA_ERROR_NOT_SUPPORTED",
}


class Uuid(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_ubyte * _UUID_BYTES)]


class LockArgs(ctypes.Structure):
    """CUcheckpointLockArgs: 64 bytes, all but the timeout reserved."""

    _fields_ = [
        ("timeoutMs", ctypes.c_uint),
        ("reserved0", ctypes.c_uint),
        ("reserved1", ctypes.c_uint64 * 7),
    ]


class ReservedArgs(ctypes.Structure):
    """CUcheckpointCheckpointArgs and CUcheckpointUnlockArgs: 64 reserved bytes. Zero: into host memory."""

    _fields_ = [("reserved", ctypes.c_uint64 * 8)]


class GpuPair(ctypes.Structure):
    """CUcheckpointGpuPair, since driver 580."""

    _fields_ = [("oldUuid", Uuid), ("newUuid", Uuid)]


class RestoreArgs(ctypes.Structure):
    """CUcheckpointRestoreArgs: 64 bytes; before driver 580 all of them reserved."""

    _fields_ = [
        ("gpuPairs", ctypes.POINTER(GpuPair)),
        ("gpuPairsCount", ctypes.c_uint),
        ("reserved", ctypes.c_char * (52 - ctypes.sizeof(ctypes.c_void_p))),
        ("reserved1", ctypes.c_uint64),
    ]


class NvmlMemory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class NvmlProcess(ctypes.Structure):
    """nvmlProcessInfo_t, as of nvmlDeviceGetComputeRunningProcesses_v3."""

    _fields_ = [
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    ]


for _arguments in (LockArgs, ReservedArgs, RestoreArgs):
    assert ctypes.sizeof(_arguments) == 64, _arguments


class Refused(Exception):
    """A call of the driver did not succeed."""

    def __init__(self, call, status, message):
        super().__init__(message)
        self.call, self.status, self.message = call, status, message


class Driver:
    """libcuda, loaded and initialised with the first request that needs it."""

    def __init__(self):
        self._library = None
        self._lock = threading.Lock()

    def call(self, name, *arguments):
        function = getattr(self._load(), name, None)
        if function is None:
            raise Refused(name, 801, "the driver has no %s" % name)
        status = function(*arguments)
        if status != 0:
            raise Refused(name, status, self._name(status))

    def has(self, name):
        return getattr(self._open(), name, None) is not None

    def _open(self):
        with self._lock:
            if self._library is None:
                self._library = ctypes.CDLL("libcuda.so.1")
                self._is_ready = False
            return self._library

    def _load(self):
        library = self._open()
        with self._lock:
            if not self._is_ready:
                status = library.cuInit(ctypes.c_uint(0))
                if status != 0:
                    raise Refused("cuInit", status, self._name(status))
                self._is_ready = True
        return library

    def _name(self, status):
        text = ctypes.c_char_p()
        try:
            self._library.cuGetErrorName(ctypes.c_int(status), ctypes.byref(text))
        except AttributeError:
            pass
        return text.value.decode() if text.value else _ERROR_NAMES.get(status, "CUDA error %d" % status)


class Nvml:
    """libnvidia-ml: what devices there are and who uses them."""

    def __init__(self):
        self._library = None
        self._lock = threading.Lock()

    def text(self, name, *arguments):
        buffer = ctypes.create_string_buffer(_NVML_TEXT_BYTES)
        self.call(name, *arguments, buffer, ctypes.c_uint(_NVML_TEXT_BYTES))
        return buffer.value.decode("utf-8", "replace")

    def devices(self):
        count = ctypes.c_uint()
        self.call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        handles = []
        for index in range(count.value):
            handle = ctypes.c_void_p()
            self.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
            handles.append(handle)
        return handles

    def memory_bytes(self, handle):
        memory = NvmlMemory()
        self.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        return memory.total

    def is_mig(self, handle):
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        try:
            self.call("nvmlDeviceGetMigMode", handle, ctypes.byref(current), ctypes.byref(pending))
        except Refused as refused:
            if refused.status == _NVML_NOT_SUPPORTED:
                return False  # a device that cannot be split
            raise
        return current.value == 1

    def used_bytes(self, handle):
        """Device memory by process, as the PID namespace of this process numbers them."""
        count = ctypes.c_uint(64)
        while True:
            processes = (NvmlProcess * count.value)()
            room = count.value
            try:
                self.call("nvmlDeviceGetComputeRunningProcesses_v3", handle, ctypes.byref(count), processes)
            except Refused as refused:
                if refused.status == _NVML_INSUFFICIENT_SIZE:
                    count = ctypes.c_uint(max(count.value, room) * 2)
                    continue
                raise
            return {
                process.pid: 0 if process.usedGpuMemory == _UNKNOWN_BYTES else process.usedGpuMemory
                for process in processes[: count.value]
            }

    def call(self, name, *arguments):
        with self._lock:
            if self._library is None:
                library = ctypes.CDLL("libnvidia-ml.so.1")
                status = library.nvmlInit_v2()
                if status != 0:
                    raise Refused("nvmlInit_v2", status, "NVML error %d" % status)
                self._library = library
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise Refused(name, status, "NVML error %d" % status)


driver = Driver()
nvml = Nvml()


def facts(_request):
    devices = [
        {
            "index": index,
            "uuid": nvml.text("nvmlDeviceGetUUID", handle),
            "model": nvml.text("nvmlDeviceGetName", handle),
            "memoryBytes": nvml.memory_bytes(handle),
            "isMig": nvml.is_mig(handle),
        }
        for index, handle in enumerate(nvml.devices())
    ]
    return {
        "driver": nvml.text("nvmlSystemGetDriverVersion"),
        "devices": devices,
        "hasCheckpoint": driver.has("cuCheckpointProcessCheckpoint"),
        "isMpsRunning": _is_running("nvidia-cuda-mps"),
    }


def initialize(_request):
    version = ctypes.c_int()
    driver.call("cuDriverGetVersion", ctypes.byref(version))
    return {"cudaVersion": version.value}


def state(request):
    """``none``: not a CUDA process."""
    value = ctypes.c_int()
    try:
        driver.call("cuCheckpointProcessGetState", _pid(request), ctypes.byref(value))
    except Refused as refused:
        if refused.status in (1, 3, 500):  # invalid value, not initialised (there), not found
            return {"state": "none"}
        raise
    return {"state": _STATES.get(value.value, "busy")}


def memory(request):
    """Device memory of each of these processes, over all devices."""
    wanted = {int(pid): 0 for pid in request["pids"]}
    for handle in nvml.devices():
        for pid, size in nvml.used_bytes(handle).items():
            if pid in wanted:
                wanted[pid] += size
    return {"bytes": [[pid, size] for pid, size in wanted.items()]}


def lock(request):
    arguments = LockArgs(timeoutMs=int(request["timeoutMs"]))
    driver.call("cuCheckpointProcessLock", _pid(request), ctypes.byref(arguments))
    return {}


def checkpoint(request):
    driver.call("cuCheckpointProcessCheckpoint", _pid(request), ctypes.byref(ReservedArgs()))
    return {}


def restore(request):
    named = request.get("pairs") or []
    pairs = (GpuPair * max(len(named), 1))()
    for pair, (old, new) in zip(pairs, named):
        pair.oldUuid, pair.newUuid = _uuid(old), _uuid(new)
    arguments = RestoreArgs()
    if named:
        arguments.gpuPairs = ctypes.cast(pairs, ctypes.POINTER(GpuPair))
        arguments.gpuPairsCount = len(named)
    driver.call("cuCheckpointProcessRestore", _pid(request), ctypes.byref(arguments))
    return {}


def restore_thread(request):
    thread = ctypes.c_int()
    driver.call("cuCheckpointProcessGetRestoreThreadId", _pid(request), ctypes.byref(thread))
    return {"thread": thread.value}


def unlock(request):
    driver.call("cuCheckpointProcessUnlock", _pid(request), ctypes.byref(ReservedArgs()))
    return {}


_requests = {
    "facts": facts,
    "initialize": initialize,
    "state": state,
    "memory": memory,
    "lock": lock,
    "checkpoint": checkpoint,
    "restore": restore,
    "restoreThread": restore_thread,
    "unlock": unlock,
}


def _pid(request):
    return ctypes.c_int(int(request["pid"]))


def _uuid(text):
    raw = bytes.fromhex(text[4:].replace("-", "") if text.startswith("GPU-") else "")
    if len(raw) != _UUID_BYTES:
        raise ValueError("no UUID of a GPU: %r" % text)
    return Uuid((ctypes.c_ubyte * _UUID_BYTES)(*raw))


def _is_running(name):
    """Whether a process has this name, as /proc cuts it (15 characters: proc(5), comm)."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/comm" % entry) as file:
                if file.read().strip() == name[:15]:
                    return True
        except OSError:
            continue
    return False


_output = threading.Lock()


def _answer(request):
    reply = {"id": request.get("id")}
    try:
        reply.update(_requests[request["do"]](request), ok=True)
    except Refused as refused:
        reply.update(ok=False, call=refused.call, status=refused.status, message=refused.message)
    except BaseException as error:  # a library that is missing, a request that is none
        reply.update(ok=False, call=str(request.get("do")), message="%s: %s" % (type(error).__name__, error))
    with _output:
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def main():
    for line in sys.stdin:
        threading.Thread(target=_answer, args=(json.loads(line),), daemon=True).start()
    # Whoever asks is gone. A driver call that hangs must not keep this process.
    os._exit(0)


if __name__ == "__main__":
    main()
