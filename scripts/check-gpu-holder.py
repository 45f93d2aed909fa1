"""Holds device memory through libcuda: fills it once, and tells a digest of it for each line that it reads.

Started by check-gpu.ts. Nothing of what it says is remembered on the host: every digest is over bytes copied back
from the device.
"""

import ctypes
import hashlib
import os
import sys

_part_bytes = 64 << 20


def main(size):
    cuda = ctypes.CDLL("libcuda.so.1")

    def call(name, *arguments):
        status = getattr(cuda, name)(*arguments)
        if status != 0:
            raise RuntimeError("%s answered %d" % (name, status))

    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    call("cuInit", ctypes.c_uint(0))
    call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(size))

    def parts():
        for offset in range(0, size, _part_bytes):
            yield ctypes.c_uint64(memory.value + offset), min(_part_bytes, size - offset)

    for address, length in parts():
        noise = os.urandom(1 << 20)
        block = ctypes.create_string_buffer((noise * (length // len(noise) + 1))[:length], length)
        call("cuMemcpyHtoD_v2", address, block, ctypes.c_size_t(length))

    def digest():
        whole = hashlib.sha256()
        block = ctypes.create_string_buffer(min(_part_bytes, size))
        for address, length in parts():
            call("cuMemcpyDtoH_v2", block, address, ctypes.c_size_t(length))
            whole.update(memoryview(block)[:length])
        return whole.hexdigest()

    for _line in sys.stdin:
        print(digest(), flush=True)


main(int(sys.argv[1]))
