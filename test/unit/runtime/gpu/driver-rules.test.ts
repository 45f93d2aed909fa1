// Which driver may do what. If one of these fails, a GPU model is captured by a driver that breaks it, or a host that
// could is told that it cannot.
import { describe, expect, it } from "vitest";

import {
  driverSupports,
  gpuKey,
  pairDevices,
  refuseDevices,
  refuseHost,
  selectDevices,
  type HostGpuFacts,
} from "../../../../runtime/gpu/driver-rules.ts";

const device = (index: number, facts = {}): HostGpuFacts["devices"][number] => ({
  index,
  uuid: `GPU-0000000${index}-0000-0000-0000-000000000000`,
  model: "NVIDIA H100 80GB HBM3",
  memoryBytes: 80 * 2 ** 30,
  isMig: false,
  ...facts,
});
const host: HostGpuFacts = {
  driver: "580.65.06",
  devices: [device(0), device(1)],
  hasCheckpoint: true,
  isMpsRunning: false,
};

describe("driverSupports", () => {
  it.each([
    ["550.54.14", ["utility"]],
    ["570.86.10", ["utility", "api"]],
    ["575.51.03", ["utility", "api"]],
    ["575.57", ["utility", "api", "frameworks"]],
    ["575.57.08", ["utility", "api", "frameworks"]],
    ["580.65.06", ["utility", "api", "frameworks", "device-map"]],
    ["610.43.02", ["utility", "api", "frameworks", "device-map", "ipc"]],
    ["1000.1", ["utility", "api", "frameworks", "device-map", "ipc"]],
    ["470.1", []],
  ] as const)("knows what %s can do", (driver, features) => {
    const all = ["utility", "api", "frameworks", "device-map", "ipc"] as const;
    expect(all.filter((feature) => driverSupports(driver, feature))).toEqual(features);
  });
});

describe("refuseHost", () => {
  it("lets a host capture that can", () => {
    expect(refuseHost(host)).toBeUndefined();
    // One GPU is split: models on the other are captured still.
    expect(
      refuseHost({ ...host, devices: [device(0, { isMig: true }), device(1)] }),
    ).toBeUndefined();
  });

  it.each([
    ["no device", { devices: [] }, /knows no GPU/],
    [
      "a driver before the API",
      { driver: "550.54.14" },
      /550\.54\.14 cannot capture device memory/,
    ],
    ["a driver that breaks PyTorch", { driver: "570.86.10" }, /PyTorch.*575\.57 or newer/],
    ["a libcuda without the functions", { hasCheckpoint: false }, /no checkpoint functions/],
    ["MPS", { isMpsRunning: true }, /MPS.*stop nvidia-cuda-mps-control/],
    ["MIG everywhere", { devices: [device(0, { isMig: true })] }, /split \(MIG\).*-mig 0/],
  ])("refuses %s with what to do", (_name, change, refusal) => {
    expect(refuseHost({ ...host, ...change })).toMatch(refusal);
  });
});

describe("a container's devices", () => {
  it("are all, or those named by index or UUID, in the container's order", () => {
    expect(selectDevices(host, "all").map(({ index }) => index)).toEqual([0, 1]);
    expect(selectDevices(host, ["1"]).map(({ index }) => index)).toEqual([1]);
    expect(selectDevices(host, ["GPU-00000001", "0"]).map(({ index }) => index)).toEqual([1, 0]);
    expect(selectDevices(host, ["MIG-3"])).toEqual([]);
    // No UUID begins with so little by accident.
    expect(selectDevices(host, ["GPU"])).toEqual([]);
  });

  it("are refused when one is split, or none is known", () => {
    expect(refuseDevices([device(0), device(3, { isMig: true })])).toMatch(/^GPU 3 is split/);
    expect(refuseDevices([])).toMatch(/no GPU/);
    expect(refuseDevices([device(0)])).toBeUndefined();
  });

  it("make the key: the exact driver, the models in order, hence their count", () => {
    expect(gpuKey(host, ["0"])).toBe("driver 580.65.06: NVIDIA H100 80GB HBM3");
    const keys = [
      gpuKey(host, "all"),
      gpuKey(host, ["0"]),
      gpuKey({ ...host, driver: "580.65.07" }, "all"),
      gpuKey({ ...host, devices: [device(0), device(1, { model: "NVIDIA L4" })] }, "all"),
      gpuKey({ ...host, devices: [device(0, { model: "NVIDIA L4" }), device(1)] }, "all"),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    // Another card of the same model is another UUID, and no other key.
    expect(gpuKey(host, ["1"])).toBe(gpuKey(host, ["0"]));
  });
});

describe("pairDevices", () => {
  it("maps nothing on the same devices, all of them on others", () => {
    expect(pairDevices(host, host)).toEqual({ pairs: [] });
    const swapped = { ...host, devices: host.devices.toReversed() };
    const [first = device(0), second = device(1)] = host.devices;
    expect(pairDevices(host, swapped)).toEqual({
      pairs: [
        [first.uuid, second.uuid],
        [second.uuid, first.uuid],
      ],
    });
  });

  it("refuses other devices where the driver cannot map, another count, another model, another driver", () => {
    const old = { driver: "575.57.08", devices: [device(0)] };
    expect(pairDevices(old, { ...old, devices: [device(1)] })).toMatchObject({
      refusal: expect.stringMatching(/580 or newer/),
    });
    expect(pairDevices(old, old)).toEqual({ pairs: [] });
    const counted = pairDevices(host, { ...host, devices: [device(0)] });
    expect(counted).toMatchObject({ refusal: expect.stringMatching(/the GPUs changed/) });
    const model = pairDevices(host, { ...host, devices: [device(0), device(1, { model: "L4" })] });
    expect(model).toMatchObject({ refusal: expect.stringMatching(/the GPUs changed.*L4/) });
    const driver = pairDevices(host, { ...host, driver: "590.1" });
    expect(driver).toMatchObject({ refusal: "the driver changed from 580.65.06 to 590.1" });
  });
});
