// libcuda.so.1 and libnvidia-ml.so.1 as helper.py sees them, with no device: it checks that structures arrive as the
// headers lay them out (cuda.h 13, nvml.h 12) and remembers the state of each process.
#include <stdint.h>
#include <string.h>

typedef struct { unsigned char bytes[16]; } Uuid;
typedef struct { unsigned int timeoutMs; unsigned int reserved0; uint64_t reserved1[7]; } LockArgs;
typedef struct { uint64_t reserved[8]; } ReservedArgs;
typedef struct { Uuid oldGpu; Uuid newGpu; } GpuPair;
typedef struct {
  GpuPair *pairs;
  unsigned int count;
  char reserved[52 - sizeof(GpuPair *)];
  uint64_t reserved1;
} RestoreArgs;
_Static_assert(sizeof(LockArgs) == 64, "LockArgs");
_Static_assert(sizeof(RestoreArgs) == 64, "RestoreArgs");

enum { running, locked, checkpointed };
enum { success = 0, invalidValue = 1, notInitialized = 3, illegalState = 401 };
/* By PID; one that no process can have is none of CUDA's. */
enum { pidsMax = 1 << 22 };
static int isReady;
static char states[pidsMax];

static int isZero(const void *bytes, size_t size) {
  const unsigned char *each = bytes;
  for (size_t at = 0; at < size; at++)
    if (each[at]) return 0;
  return 1;
}
static int move(int pid, int from, int to) {
  if (!isReady) return notInitialized;
  if (pid <= 0 || pid >= pidsMax) return invalidValue;
  if (states[pid] != from) return illegalState;
  states[pid] = to;
  return success;
}

int cuInit(unsigned int flags) { isReady = flags == 0; return isReady ? success : invalidValue; }
int cuDriverGetVersion(int *version) { *version = 13000; return success; }
int cuGetErrorName(int status, const char **name) {
  *name = status == illegalState ? "CUDA_ERROR_ILLEGAL_STATE" : 0;
  return status == illegalState ? success : invalidValue;
}
int cuCheckpointProcessGetState(int pid, int *state) {
  if (!isReady) return notInitialized;
  if (pid <= 0 || pid >= pidsMax) return invalidValue;
  *state = states[pid];
  return success;
}
int cuCheckpointProcessLock(int pid, LockArgs *args) {
  if (args->timeoutMs != 10000 || args->reserved0 || !isZero(args->reserved1, 56)) return invalidValue;
  return move(pid, running, locked);
}
int cuCheckpointProcessCheckpoint(int pid, ReservedArgs *args) {
  return isZero(args, 64) ? move(pid, locked, checkpointed) : invalidValue;
}
int cuCheckpointProcessRestore(int pid, RestoreArgs *args) {
  if (!isZero(args->reserved, sizeof args->reserved) || args->reserved1) return invalidValue;
  if (pid == 7 && args->pairs) return invalidValue;
  if (pid == 8) {
    if (args->count != 2) return invalidValue;
    if (args->pairs[0].oldGpu.bytes[0] != 0x01 || args->pairs[0].newGpu.bytes[15] != 0xf2) return invalidValue;
    if (args->pairs[1].oldGpu.bytes[0] != 0x02 || args->pairs[1].newGpu.bytes[15] != 0xf1) return invalidValue;
  }
  return move(pid, checkpointed, locked);
}
int cuCheckpointProcessGetRestoreThreadId(int pid, int *thread) { *thread = pid + 1; return success; }
int cuCheckpointProcessUnlock(int pid, ReservedArgs *args) {
  return isZero(args, 64) ? move(pid, locked, running) : invalidValue;
}

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpuInstance, computeInstance; } Process;
_Static_assert(sizeof(Process) == 24, "Process");
static int devices[2] = {0, 1};

static int text(const char *value, char *buffer, unsigned int size) {
  if (strlen(value) >= size) return 7;
  strcpy(buffer, value);
  return success;
}
int nvmlInit_v2(void) { return success; }
int nvmlSystemGetDriverVersion(char *buffer, unsigned int size) { return text("580.65.06", buffer, size); }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return success; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) { *device = &devices[index]; return success; }
int nvmlDeviceGetName(int *device, char *buffer, unsigned int size) { (void)device; return text("NVIDIA L4", buffer, size); }
int nvmlDeviceGetUUID(int *device, char *buffer, unsigned int size) {
  return text(*device ? "GPU-02000000-0000-0000-0000-0000000000f2" : "GPU-01000000-0000-0000-0000-0000000000f1", buffer, size);
}
int nvmlDeviceGetMemoryInfo(int *device, Memory *memory) { memory->total = 24ull << 30; memory->free = memory->used = *device; return success; }
// The first cannot be split at all (NVML_ERROR_NOT_SUPPORTED), the second is.
int nvmlDeviceGetMigMode(int *device, unsigned int *current, unsigned int *pending) {
  if (*device == 0) return 3;
  *current = *pending = 1;
  return success;
}
// More processes than the helper first has room for (NVML_ERROR_INSUFFICIENT_SIZE); one whose memory is not told.
int nvmlDeviceGetComputeRunningProcesses_v3(int *device, unsigned int *count, Process *processes) {
  if (*device == 1) { *count = 0; return success; }
  if (*count < 70) { *count = 70; return 7; }
  *count = 70;
  for (int at = 0; at < 70; at++) processes[at] = (Process){at, at == 9 ? ~0ull : (unsigned long long)at << 20, 0, 0};
  return success;
}
